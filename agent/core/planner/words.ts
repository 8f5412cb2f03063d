/** Figures as people read them; a plan is read far more often than it is computed. */

export const count = (items: number): string => `${items} ${items === 1 ? "item" : "items"}`;

/** Two significant digits below ten, whole numbers above: more would claim more than was measured. */
const figure = (value: number): string => {
  if (value === 0) return "0";
  if (value >= 10) return String(Math.round(value));
  if (value >= 0.1) return value.toFixed(1);
  return value < 0.001 ? "under 0.001" : String(Number(value.toPrecision(1)));
};

export const seconds = (value: number): string => `${figure(value)} s`;
export const rate = (itemsPerSecond: number): string => `${figure(itemsPerSecond)} items/s`;
export const byteRate = (bytesPerSecond: number): string =>
  bytesPerSecond >= 1e6 ? `${figure(bytesPerSecond / 1e6)} MB/s` : `${figure(bytesPerSecond / 1e3)} kB/s`;
export const percent = (share: number): string =>
  `${share > 0 && share < 0.01 ? "under 1" : Math.round(share * 100)} %`;
export const degrees = (celsius: number): string => `${figure(celsius)} C`;

/** As discs and memory are told: 940 MB, 1.2 GB. */
export function bytes(value: number): string {
  if (value < 1e6) return `${Math.round(value / 1e3)} kB`;
  return value < 999.5e6 ? `${Math.round(value / 1e6)} MB` : `${Number((value / 1e9).toFixed(2))} GB`;
}
