/** Keeps what is read where it is, while entries come and go above and below it, and follows the end. */
export class Scroller {
  private atEnd = true;
  private anchor: { key: string; top: number } | undefined;
  private readonly resizes: ResizeObserver;
  /** Its own scrolling, which is not the reader's. */
  private expected = -1;

  constructor(
    private readonly box: HTMLElement,
    private readonly content: HTMLElement,
    private readonly moved: () => void,
  ) {
    this.resizes = new ResizeObserver(() => this.settle());
    this.resizes.observe(box);
    this.resizes.observe(content);
    box.addEventListener("scroll", this.onScroll, { passive: true });
  }

  close(): void {
    this.resizes.disconnect();
    this.box.removeEventListener("scroll", this.onScroll);
  }

  get isAtEnd(): boolean {
    return this.atEnd;
  }

  /** How far it is to the beginning and to the end of what is there, in pixels. */
  get room(): { readonly above: number; readonly below: number } {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return { above: scrollTop, below: scrollHeight - clientHeight - scrollTop };
  }

  /** Call after what is shown has changed. */
  settle(): void {
    if (this.atEnd) {
      this.set(this.box.scrollHeight);
      return;
    }
    if (!this.anchor) return;
    const element = this.find(this.anchor.key);
    if (!element) {
      this.remember();
      return;
    }
    const now = this.topOf(element);
    if (Math.abs(now - this.anchor.top) >= 1) this.set(this.box.scrollTop + now - this.anchor.top);
  }

  toEnd(): void {
    this.atEnd = true;
    this.anchor = undefined;
    this.set(this.box.scrollHeight);
    this.moved();
  }

  /** Shows an entry, with some of what stands before it. */
  show(key: string): boolean {
    const element = this.find(key);
    if (!element) return false;
    const space = Math.max(0, (this.box.clientHeight - element.offsetHeight) / 3);
    this.set(this.box.scrollTop + this.topOf(element) - space);
    this.atEnd = this.room.below < 8;
    this.remember();
    this.moved();
    return true;
  }

  /** The last entry that can be seen. */
  lastVisible(): string | undefined {
    const bottom = this.box.getBoundingClientRect().bottom;
    const keyed = this.keyed();
    for (let index = keyed.length - 1; index >= 0; index--) {
      const element = keyed[index];
      if (element && element.getBoundingClientRect().bottom <= bottom + 4) return element.dataset.key;
    }
    return undefined;
  }

  private readonly onScroll = (): void => {
    if (Math.abs(this.box.scrollTop - this.expected) < 2) {
      this.expected = -1;
    } else {
      this.atEnd = this.room.below < 8;
      this.remember();
    }
    this.moved();
  };

  private set(top: number): void {
    const most = this.box.scrollHeight - this.box.clientHeight;
    this.expected = Math.max(0, Math.min(top, most));
    this.box.scrollTop = this.expected;
  }

  private remember(): void {
    const top = this.box.getBoundingClientRect().top;
    const keyed = this.keyed();
    let low = 0;
    let high = keyed.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keyed[middle]?.getBoundingClientRect().bottom ?? 0) > top) high = middle;
      else low = middle + 1;
    }
    const element = keyed[low];
    this.anchor = element?.dataset.key ? { key: element.dataset.key, top: this.topOf(element) } : undefined;
  }

  private keyed(): HTMLElement[] {
    return [...this.content.querySelectorAll<HTMLElement>("[data-key]")];
  }

  private find(key: string): HTMLElement | undefined {
    return this.keyed().find((element) => element.dataset.key === key);
  }

  private topOf(element: HTMLElement): number {
    return element.getBoundingClientRect().top - this.box.getBoundingClientRect().top;
  }
}
