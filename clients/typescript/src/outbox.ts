// What a stream has to send: items that are read ahead, and kept until they are answered.

/** Wakes the one who waits for any change. */
export class Signal {
  #wake: (() => void) | undefined;

  notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** An item with its number, which rises along the source. */
export interface Numbered<T> {
  readonly number: number;
  readonly item: T;
  /** What counts for the bound on bytes. */
  readonly size: number;
}

/** Keeps the items of a source that are not yet answered. Only these are in memory. */
export class Outbox<T> {
  /** Notified when an item was read, and when the source has ended. */
  readonly changed = new Signal();
  readonly #source: AsyncIterator<Numbered<T>>;
  readonly #countMax: number;
  readonly #bytesMax: number;
  #kept: Numbered<T>[] = [];
  #bytes = 0;
  #isReading = false;
  #hasEnded = false;
  #fault: unknown;

  /** Reads ahead until `countMax` items or `bytesMax` bytes wait for their answers, but always one item. */
  constructor(source: AsyncIterable<Numbered<T>>, countMax: number, bytesMax: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  /** Tells whether the source has nothing more to send. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The number of items that wait for their answers. */
  get size(): number {
    return this.#kept.length;
  }

  /** The first item that waits for its answer. */
  get first(): Numbered<T> | undefined {
    return this.#kept[0];
  }

  /** Returns the kept item of a number. */
  get(number: number): Numbered<T> | undefined {
    const index = this.#indexAfter(number - 1);
    return this.#kept[index]?.number === number ? this.#kept[index] : undefined;
  }

  /** Returns the first kept item above a number. */
  after(number: number): Numbered<T> | undefined {
    return this.#kept[this.#indexAfter(number)];
  }

  /** Drops the items up to a number: they are answered. */
  dropThrough(number: number): void {
    for (const { size } of this.#kept.splice(0, this.#indexAfter(number))) {
      this.#bytes -= size;
    }
    this.changed.notify();
  }

  /** Reads the next item, if there is room for it; `changed` tells when it is there. */
  readAhead(): void {
    if (this.#isReading || this.#hasEnded) {
      return;
    }
    if (this.#kept.length > 0 && (this.#kept.length >= this.#countMax || this.#bytes >= this.#bytesMax)) {
      return;
    }
    this.#isReading = true;
    void this.#read();
  }

  /**
   * Throws what ended the source early. It is called once everything before is answered.
   *
   * @throws UsageFault
   */
  finish(): void {
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#hasEnded = true;
      } else {
        this.#kept.push(value);
        this.#bytes += value.size;
      }
    } catch (error) {
      this.#fault = error;
      this.#hasEnded = true;
    }
    this.#isReading = false;
    this.changed.notify();
  }

  /** A binary search: the numbers rise, and may have gaps. */
  #indexAfter(number: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#kept[middle] as Numbered<T>).number <= number) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
