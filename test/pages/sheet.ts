/** A sheet to write on: what is drawn is also what is noted down as the page's true text. */
export interface Look {
  font: string;
  size: number;
  weight?: number;
  ink?: string;
  anchor?: "start" | "middle" | "end";
}

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

export class Sheet {
  private readonly shapes: string[] = [];
  private readonly truth: string[] = [];
  readonly width: number;
  readonly height: number;

  constructor(width: number, height: number, paper = "#ffffff") {
    this.width = width;
    this.height = height;
    this.shape(`<rect width="${width}" height="${height}" fill="${paper}"/>`);
  }

  shape(svg: string): void {
    this.shapes.push(svg);
  }

  rule(x1: number, y: number, x2: number, ink = "#555555", thickness = 1.5): void {
    this.shape(`<line x1="${x1}" y1="${y}" x2="${x2}" y2="${y}" stroke="${ink}" stroke-width="${thickness}"/>`);
  }

  private draw(x: number, y: number, text: string, look: Look): void {
    const { font, size, weight = 400, ink = "#111111", anchor = "start" } = look;
    this.shape(
      `<text x="${x}" y="${y}" font-family="${font}" font-size="${size}" font-weight="${weight}" fill="${ink}" text-anchor="${anchor}">${escaped(text)}</text>`,
    );
  }

  line(x: number, y: number, text: string, look: Look): void {
    this.draw(x, y, text, look);
    this.truth.push(text);
  }

  /** Lines under each other. Answers with the y of the line after the last. */
  lines(x: number, y: number, step: number, texts: readonly string[], look: Look): number {
    for (const [index, text] of texts.entries()) this.line(x, y + index * step, text, look);
    return y + texts.length * step;
  }

  /** Cells beside each other, noted down as one line. */
  row(y: number, cells: readonly { x: number; text: string; anchor?: Look["anchor"] }[], look: Look): void {
    for (const { x, text, anchor } of cells) this.draw(x, y, text, { ...look, ...(anchor ? { anchor } : {}) });
    this.truth.push(cells.map(({ text }) => text).join(" "));
  }

  svg(): string {
    const size = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${this.shapes.join("")}</svg>`;
  }

  text(): string {
    return `${this.truth.join("\n")}\n`;
  }
}
