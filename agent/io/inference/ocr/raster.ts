/** Pixels as red, green, blue bytes, row by row, without gaps. */
export interface Raster {
  width: number;
  height: number;
  pixels: Uint8Array;
}

/** A rectangle that may lean: `width` runs along `angle` (radians, clockwise on screen, at most 45 degrees either way). */
export interface LeaningBox {
  centreX: number;
  centreY: number;
  width: number;
  height: number;
  angle: number;
}

/** Half the size, each pixel the mean of four. An odd last row or column is left out: half a pixel at the paper's edge. */
function halved(raster: Raster): Raster {
  const width = Math.max(1, raster.width >> 1);
  const height = Math.max(1, raster.height >> 1);
  const pixels = new Uint8Array(width * height * 3);
  const stride = raster.width * 3;
  const right = raster.width > 1 ? 3 : 0;
  const below = raster.height > 1 ? stride : 0;
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = y * 2 * stride;
    for (let x = 0; x < width; x++, from += 6) {
      for (let channel = 0; channel < 3; channel++) {
        const at = from + channel;
        const sum =
          raster.pixels[at]! +
          raster.pixels[at + right]! +
          raster.pixels[at + below]! +
          raster.pixels[at + right + below]!;
        pixels[to++] = (sum + 2) >> 2;
      }
    }
  }
  return { width, height, pixels };
}

/**
 * A picture and its halves, made when first asked for. A crop is sampled from the level at which a sample stands for
 * less than two pixels, so that plain bilinear sampling neither misses strokes nor pays for averaging large areas.
 */
export class Pyramid {
  private readonly levels: Raster[];

  constructor(raster: Raster) {
    this.levels = [raster];
  }

  get base(): Raster {
    return this.levels[0]!;
  }

  /** The level for samples that lie `pixelsPerSample` pixels of the base apart. */
  levelFor(pixelsPerSample: number): { raster: Raster; scale: number } {
    const depth = Math.max(0, Math.floor(Math.log2(pixelsPerSample)));
    while (this.levels.length <= depth) {
      const last = this.levels.at(-1)!;
      if (last.width < 2 && last.height < 2) break;
      this.levels.push(halved(last));
    }
    const level = Math.min(depth, this.levels.length - 1);
    return { raster: this.levels[level]!, scale: 1 / 2 ** level };
  }
}

/**
 * Samples a box into planes of blue, green, red (the order the models were trained on), each value v/127.5 - 1.
 * `target` holds three planes of `planeWidth` x `rows`; columns from `columns` on are left as they are.
 */
export function sampleBox(
  pyramid: Pyramid,
  box: LeaningBox,
  columns: number,
  rows: number,
  target: Float32Array,
  planeWidth: number,
): void {
  const { raster, scale } = pyramid.levelFor(box.height / rows);
  const { width, height, pixels } = raster;
  const stride = width * 3;
  const plane = planeWidth * rows;
  const acrossX = (Math.cos(box.angle) * box.width * scale) / columns;
  const acrossY = (Math.sin(box.angle) * box.width * scale) / columns;
  const downX = (-Math.sin(box.angle) * box.height * scale) / rows;
  const downY = (Math.cos(box.angle) * box.height * scale) / rows;
  const startX = box.centreX * scale - (acrossX * (columns - 1) + downX * (rows - 1)) / 2 - 0.5;
  const startY = box.centreY * scale - (acrossY * (columns - 1) + downY * (rows - 1)) / 2 - 0.5;
  for (let row = 0; row < rows; row++) {
    let at = row * planeWidth;
    for (let column = 0; column < columns; column++, at++) {
      const x = Math.min(Math.max(startX + acrossX * column + downX * row, 0), width - 1);
      const y = Math.min(Math.max(startY + acrossY * column + downY * row, 0), height - 1);
      const left = x | 0;
      const top = y | 0;
      const partX = x - left;
      const partY = y - top;
      const from = top * stride + left * 3;
      const right = left + 1 < width ? 3 : 0;
      const below = top + 1 < height ? stride : 0;
      const a = (1 - partX) * (1 - partY);
      const b = partX * (1 - partY);
      const c = (1 - partX) * partY;
      const d = partX * partY;
      for (let channel = 0; channel < 3; channel++) {
        const pixel = from + channel;
        const value =
          pixels[pixel]! * a +
          pixels[pixel + right]! * b +
          pixels[pixel + below]! * c +
          pixels[pixel + right + below]! * d;
        target[at + (2 - channel) * plane] = value / 127.5 - 1;
      }
    }
  }
}
