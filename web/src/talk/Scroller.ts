/** A row, how far below the upper edge it is, and whether it begins below that edge. */
interface Anchor {
  readonly key: string;
  readonly top: number;
}

/** So near to the end, in pixels, one is at the end. */
const AT_END = 8;
/** What a row may be cut off by and still count as seen. */
const CUT = 4;

/**
 * Keeps what is read where it is, while entries come, go and grow above and below it, and follows the end.
 *
 * The rows that are seen are remembered with their places and the scroll position of that moment. Whatever changes
 * afterwards, a row must be where it was, less what the reader has scrolled since: the scroll position tells, whether or not
 * the browser has said so yet.
 */
export class Scroller {
  private atEnd = true;
  /** What is seen; the first that is still there is kept in its place. */
  private anchors: readonly Anchor[] = [];
  private anchoredAt = 0;
  private held = false;
  private readonly resizes: ResizeObserver;

  constructor(
    private readonly box: HTMLElement,
    private readonly content: HTMLElement,
    /** Whether nothing comes after what is there, so that its end is the end. */
    private readonly whole: () => boolean,
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

  /** How far it is to the beginning and to the end of what is there, and how high the view is, in pixels. */
  get room(): { readonly above: number; readonly below: number; readonly height: number } {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return { above: scrollTop, below: scrollHeight - clientHeight - scrollTop, height: clientHeight };
  }

  /**
   * Call before what is shown changes, and `settle()` afterwards.
   *
   * Where rows go, the browser may have to move the position to what is left, and that is none of the reader's scrolling.
   */
  hold(): void {
    // Whether this is the end is looked at afterwards: what makes it the end may be what is about to be shown.
    if (this.leaves) this.atEnd = false;
    if (!this.atEnd) this.remember();
    this.held = true;
  }

  /** Puts what is read where it was, after what is shown has changed. */
  settle(): void {
    const by = this.held ? 0 : this.box.scrollTop - this.anchoredAt;
    if (this.atEnd && (this.held || !this.leaves)) {
      this.held = false;
      this.toBottom();
      return;
    }
    this.held = false;
    const rows = this.rows();
    const anchor = this.anchors.find(({ key }) => rows.has(key));
    const element = anchor && rows.get(anchor.key);
    if (this.atEnd || !anchor || !element) {
      this.look();
      return;
    }
    const off = this.topOf(element) - (anchor.top - by);
    if (Math.abs(off) >= 0.5) this.box.scrollTop += off;
    // Parts of pixels that the position does not take are made up for the next time.
    this.anchoredAt = this.box.scrollTop - by;
  }

  toEnd(): void {
    this.atEnd = true;
    this.toBottom();
    this.moved();
  }

  /** Shows an entry, with some of what stands before it. */
  show(key: string): boolean {
    const element = this.rows().get(key);
    if (!element) return false;
    const space = Math.max(0, (this.box.clientHeight - element.offsetHeight) / 3);
    this.box.scrollTop += this.topOf(element) - space;
    this.look();
    this.moved();
    return true;
  }

  /** The last entry that can be seen. */
  lastVisible(): string | undefined {
    const bottom = this.box.getBoundingClientRect().bottom + CUT;
    const rows = this.elements();
    const after = firstOf(rows, (element) => element.getBoundingClientRect().bottom > bottom);
    return rows[after - 1]?.dataset.key;
  }

  /**
   * The reader has gone up from the end, whether or not the browser has said so.
   *
   * Where the view grows, or the content shrinks, the browser moves the position up too, but the end remains in sight.
   */
  private get leaves(): boolean {
    return this.box.scrollTop < this.anchoredAt - 1 && this.room.below >= AT_END;
  }

  private readonly onScroll = (): void => {
    // The browser says so in the next frame, and before it says that something has grown meanwhile: then the end is no longer
    // in sight, though nobody left it.
    if (!this.atEnd || this.leaves || !this.whole()) this.look();
    this.moved();
  };

  private toBottom(): void {
    this.box.scrollTop = this.box.scrollHeight;
    this.anchoredAt = this.box.scrollTop;
    this.anchors = [];
  }

  private look(): void {
    this.atEnd = this.whole() && this.room.below < AT_END;
    this.remember();
  }

  /** Remembers what is seen now, and where. */
  private remember(): void {
    const rows = this.elements();
    const origin = this.box.getBoundingClientRect();
    const whole: Anchor[] = [];
    const unsure: Anchor[] = [];
    let at = firstOf(rows, (element) => element.getBoundingClientRect().bottom > origin.top);
    for (; at < rows.length; at++) {
      const element = rows[at];
      if (!element?.dataset.key) continue;
      const top = element.getBoundingClientRect().top - origin.top;
      if (top >= origin.height) break;
      // A row that is cut off may grow where it is not seen, and the oldest one loses its name when more of the same person's
      // come above it: they come last.
      (top >= 0 && at > 0 ? whole : unsure).push({ key: element.dataset.key, top });
    }
    this.anchors = [...whole, ...unsure];
    this.anchoredAt = this.box.scrollTop;
  }

  private elements(): HTMLElement[] {
    return [...this.content.querySelectorAll<HTMLElement>("[data-key]")];
  }

  private rows(): Map<string | undefined, HTMLElement> {
    return new Map(this.elements().map((element) => [element.dataset.key, element]));
  }

  private topOf(element: HTMLElement): number {
    return element.getBoundingClientRect().top - this.box.getBoundingClientRect().top;
  }
}

/** The index of the first of them for which it holds, if it holds for all after that one. */
function firstOf(rows: readonly HTMLElement[], holds: (row: HTMLElement) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row && holds(row)) high = middle;
    else low = middle + 1;
  }
  return low;
}
