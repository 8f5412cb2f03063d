/** Elements, kept and filled in place. Text from other boxes is only ever set as text, never as markup. */

/** An element with a class, its text or its children. */
export function make(tag, className = "", content = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...(Array.isArray(content) ? content : [content]));
  return element;
}

/** Keeps one child per key in the order given, so that what is open or focused stays so, and bars move instead of jumping. */
export function keep(parent, keys, create) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const children = keys.map((key) => {
    const child = old.get(key) ?? create(key);
    child.dataset.key = key;
    return child;
  });
  const isSame = children.length === parent.children.length && children.every((one, i) => one === parent.children[i]);
  if (!isSame) parent.replaceChildren(...children);
  return children;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setWidth(element, share) {
  element.style.width = `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
}
