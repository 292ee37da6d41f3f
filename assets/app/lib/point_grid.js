// Finds the point that is nearest to a place among very many: a grid of cells, each with its points.

const PER_CELL = 4;

/** A grid over points in the plane. */
export class PointGrid {
  /**
   * @param {ArrayLike<number>} x in 0 to 1
   * @param {ArrayLike<number>} y in 0 to 1
   */
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(x.length / PER_CELL))));
    const cells = this.side * this.side;
    this.starts = new Int32Array(cells + 1);
    const cellOf = Int32Array.from(x, (value, row) => this.cell(value, y[row]));
    for (const cell of cellOf) this.starts[cell + 1] += 1;
    for (let cell = 0; cell < cells; cell += 1) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.rows = new Int32Array(x.length);
    cellOf.forEach((cell, row) => {
      this.rows[next[cell]] = row;
      next[cell] += 1;
    });
  }

  /** @param {number} value */
  line(value) {
    return Math.min(Math.max(Math.floor(value * this.side), 0), this.side - 1);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  cell(x, y) {
    return this.line(y) * this.side + this.line(x);
  }

  /**
   * Return the nearest point within a distance, or -1.
   * @param {number} x
   * @param {number} y
   * @param {number} within
   * @param {(row: number) => boolean} [counts] which points count
   */
  nearest(x, y, within, counts = () => true) {
    let best = -1;
    let least = within * within;
    const [left, right] = [this.line(x - within), this.line(x + within)];
    for (let line = this.line(y - within); line <= this.line(y + within); line += 1) {
      const last = this.starts[line * this.side + right + 1];
      for (let n = this.starts[line * this.side + left]; n < last; n += 1) {
        const row = this.rows[n];
        const away = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
        if (away > least || !counts(row)) continue;
        best = row;
        least = away;
      }
    }
    return best;
  }
}
