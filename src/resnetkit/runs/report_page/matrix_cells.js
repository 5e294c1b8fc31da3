/** Counts of the confusion matrix, by true class and answer. */

class Confusion {
  constructor(cells, numClasses) {
    this.cells = new Map(cells.map(([truth, answer, number]) => [truth * numClasses + answer, number]));
    this.numClasses = numClasses;
    [this.sizes, this.given, this.confused] = [0, 1, 2].map(() => new Array(numClasses).fill(0));
    for (const [truth, answer, number] of cells) {
      this.sizes[truth] += number;
      this.given[answer] += number;
      if (truth === answer) continue;
      this.confused[truth] += number;
      this.confused[answer] += number;
    }
  }

  number(truth, answer) {
    return this.cells.get(truth * this.numClasses + answer) ?? 0;
  }

  /** At most `most` classes, those that are confused most, in an order. */
  classes(order, most) {
    const all = [...this.sizes.keys()];
    const by = { name: () => 0, size: (a, b) => this.sizes[b] - this.sizes[a], confusion: (a, b) => this.confused[b] - this.confused[a] };
    const kept = new Set([...all].sort(by.confusion).slice(0, most));
    return all.filter((one) => kept.has(one)).sort(by[order]);
  }
}
