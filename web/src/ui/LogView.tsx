import { Component, type ComponentChildren, createRef } from "preact";
import { Held } from "./Held";
import { Said, ToEnd } from "./LogNews";
import { type Anchor, LogRows, type Range } from "./LogRows";
import type { LogPlace, LogViewProps, LogViewState } from "./LogViewProps";
import "./LogView.css";

/** How near the end one is at the end, in pixels. */
const AT_END = 4;
/** After so long without scrolling, the reader has stopped. In milliseconds. */
const STOPPED = 150;
const FLASH = 2000;
const MOST_SAID = 5;
const MOST_ROUNDS = 8;

/**
 * A log of any length. Only the rows around what one sees are in the page; the rest is two empty spaces.
 *
 * What one reads does not move when rows come or go above or below it, or change their height: the upper space takes
 * up the difference (`drift`), so that a scroll under way goes on. The drift is made good when the reader has stopped,
 * by moving the scroll position with it.
 */
export class LogView<Row> extends Component<LogViewProps<Row>, LogViewState> {
  override state: LogViewState = { from: 0, to: 0, stuck: true, fresh: 0, said: [] };

  private readonly scroller = createRef<HTMLDivElement>();
  private readonly above = createRef<HTMLDivElement>();
  private readonly below = createRef<HTMLDivElement>();
  private readonly log = new LogRows<Row>();
  /** The rows one sees, and where they were when the scroll position was `anchoredAt`. */
  private anchors: readonly Anchor[] = [];
  private anchoredAt = 0;
  /** Where a row is wanted that may not be there yet. */
  private target: Anchor | undefined;
  private stuck = true;
  private observer: ResizeObserver | undefined;
  private observed = new Set<Element>();
  private stopped: ReturnType<typeof setTimeout> | undefined;
  private flashing: ReturnType<typeof setTimeout> | undefined;
  private asked: { older: boolean; newer: boolean } = { older: false, newer: false };
  private visible = "";
  private focusNext: "first" | "last" | undefined;
  private sayings = 0;
  /** How often the rows in the page were chosen anew since the reader or the log did something. */
  private rounds = 0;

  constructor(props: LogViewProps<Row>) {
    super(props);
    this.log.take(props);
    const { place } = props;
    if (place && place !== "end") {
      this.target = place;
      this.stuck = false;
    }
    this.state = {
      ...this.state,
      ...(this.target ? this.log.around(this.target, this.viewport) : this.log.last(this.viewport)),
      stuck: this.stuck,
    };
  }

  /** Shows a row in the upper third and flashes it, now or as soon as it is among the rows. */
  jump(key: string, { flash = true }: { readonly flash?: boolean } = {}): void {
    const height = this.scroller.current?.clientHeight ?? 0;
    this.target = { key, top: height / 3 };
    this.stick(false);
    if (flash) {
      clearTimeout(this.flashing);
      this.setState({ flash: key });
      this.flashing = setTimeout(() => this.setState({ flash: undefined }), FLASH);
    }
    if (this.log.indexOf(key) >= 0) this.show(this.log.around(this.target, this.viewport));
  }

  /** Goes to the end of the log. */
  toEnd(): void {
    this.target = undefined;
    if (!this.props.atEnd) {
      // What comes then is shown from its end.
      this.anchors = [];
      this.stick(true);
      this.props.onEnd?.();
      return;
    }
    this.stick(true);
    this.log.drift = 0;
    this.show(this.log.last(this.viewport));
  }

  /** Where one reads now. */
  place(): LogPlace {
    const first = this.anchors[0];
    return this.stuck || !first ? "end" : { key: first.key, top: first.top };
  }

  override componentDidMount(): void {
    this.observer = new ResizeObserver(() => this.settle());
    if (this.scroller.current) this.observer.observe(this.scroller.current);
    // The height of the page was not known before.
    this.setState(this.target ? this.log.around(this.target, this.viewport) : this.log.last(this.viewport));
    this.settle();
    this.load();
  }

  override componentWillReceiveProps(next: LogViewProps<Row>): void {
    if (next.loading !== this.props.loading && !next.loading) this.asked = { older: false, newer: false };
    if (next.rows === this.props.rows) return;
    this.rounds = 0;
    const last = this.props.rows.at(-1);
    this.log.take(next);
    if (last !== undefined && this.props.atEnd) this.greet(next, this.props.keyOf(last));
    const scroller = this.scroller.current;
    if (!scroller) return;
    if (this.target && this.log.indexOf(this.target.key) >= 0) {
      this.setState(this.log.around(this.target, this.viewport));
      return;
    }
    if (this.stuck) {
      this.log.drift = 0;
      this.setState(this.log.last(this.viewport));
      return;
    }
    const found = this.log.survivor(this.anchors);
    this.log.drift = found
      ? this.topNow(found.anchor) + scroller.scrollTop - this.log.heights.offset(found.index)
      : 0;
    this.setState(this.wanted(1));
  }

  override componentDidUpdate(before: LogViewProps<Row>): void {
    this.settle();
    if (before.rows !== this.props.rows || before.atEnd !== this.props.atEnd) this.load();
  }

  override componentWillUnmount(): void {
    this.observer?.disconnect();
    clearTimeout(this.stopped);
    clearTimeout(this.flashing);
    this.props.onPlace?.(this.place());
  }

  render(): ComponentChildren {
    const { rows, keyOf, render, label, loading, atEnd, behind = 0 } = this.props;
    const { from, to, stuck, fresh, flash, said } = this.state;
    const active = this.tabStop();
    return (
      <div class="log-view">
        <div
          class="log-view__scroller"
          ref={this.scroller}
          role="feed"
          aria-label={label}
          aria-busy={loading ?? false}
          tabIndex={-1}
          onScroll={this.onScroll}
          onKeyDown={this.onKeyDown}
        >
          <div class="log-view__above" ref={this.above} />
          {rows.slice(from, to).map((row, index) => {
            const key = keyOf(row);
            return (
              <article
                key={key}
                class={key === flash ? "log-view__row log-view__row--flash" : "log-view__row"}
                data-index={from + index}
                aria-posinset={from + index + 1}
                aria-setsize={this.props.atStart && atEnd ? rows.length : -1}
                tabIndex={from + index === active ? 0 : -1}
                onFocus={() => this.state.active !== key && this.setState({ active: key })}
              >
                <Held row={row} render={render} />
              </article>
            );
          })}
          <div class="log-view__below" ref={this.below} />
        </div>
        {!(stuck && atEnd) && <ToEnd news={fresh + behind} onClick={() => this.toEnd()} />}
        <Said said={said} />
      </div>
    );
  }

  /** Counts and announces what came after a row. */
  private greet(next: LogViewProps<Row>, lastKey: string): void {
    const added = this.log.after(lastKey);
    if (added.length === 0) return;
    const texts = next.announce ? added.slice(-MOST_SAID).map(next.announce) : [];
    const said = texts.flatMap((text) => (text ? [{ id: this.sayings++, text }] : []));
    const fresh = this.stuck ? 0 : added.filter((row) => next.isNew?.(row) ?? true).length;
    this.setState((state) => ({
      fresh: state.fresh + fresh,
      said: [...state.said, ...said].slice(-MOST_SAID),
    }));
  }

  /** Where a row should be: it has moved with the scroll position since it was looked at. */
  private topNow(anchor: Anchor): number {
    return anchor.top - ((this.scroller.current?.scrollTop ?? 0) - this.anchoredAt);
  }

  private get viewport(): number {
    return this.scroller.current?.clientHeight ?? 800;
  }

  /** The rows around what one sees, with some more on both sides: so many times the height of the page. */
  private wanted(more: number): Range {
    const y = (this.scroller.current?.scrollTop ?? 0) - this.log.drift;
    return this.log.between(y - this.viewport * more, y + this.viewport * (1 + more));
  }

  /** Sees to it that the rows around what one sees are in the page. */
  private cover(): void {
    const need = this.wanted(0.5);
    const { from, to } = this.state;
    if (need.from >= from && need.to <= to) return;
    const range = this.wanted(1);
    if (range.from === from && range.to === to) return;
    this.keepFocus(range);
    this.setState(range);
  }

  private show(range: Range): void {
    this.rounds = 0;
    this.keepFocus(range);
    // Even if the rows are the same, one wants to be elsewhere in them.
    this.setState(range);
  }

  /** A row that has the focus and leaves the page gives it to the log. */
  private keepFocus({ from, to }: Range): void {
    const scroller = this.scroller.current;
    const row = scroller?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>(".log-view__row")
      : null;
    const index = Number(row?.dataset.index ?? -1);
    if (row && (index < from || index >= to)) scroller?.focus({ preventScroll: true });
  }

  private stick(stuck: boolean): void {
    this.stuck = stuck;
    if (this.state.stuck !== stuck || (stuck && this.state.fresh > 0))
      this.setState(stuck ? { stuck, fresh: 0 } : { stuck });
  }

  private rowsInPage(): HTMLElement[] {
    const scroller = this.scroller.current;
    return scroller ? [...scroller.querySelectorAll<HTMLElement>(":scope > .log-view__row")] : [];
  }

  /** Measures what is in the page, and puts what one reads where it was. */
  private settle(): void {
    const scroller = this.scroller.current;
    if (!scroller) return;
    const elements = this.rowsInPage();
    this.space();
    this.measure(elements);
    this.space();
    const target = this.target && this.log.indexOf(this.target.key) >= 0 ? this.target : undefined;
    if (target) this.align(target, elements, true);
    else if (this.stuck) scroller.scrollTop = scroller.scrollHeight;
    else {
      const anchor = this.anchors.find(({ key }) => this.elementOf(key, elements));
      // Nothing of what one saw is left: the rows may be where their heights put them.
      if (!anchor) {
        this.log.drift = 0;
        this.space();
      } else this.align({ key: anchor.key, top: this.topNow(anchor) }, elements, false);
    }
    if (!this.stuck && Math.abs(this.log.drift) > 1 && this.nearStart()) this.makeGood();
    this.look();
    if (target && this.elementOf(target.key, elements)) this.target = undefined;
    if (!this.target && this.rounds++ < MOST_ROUNDS) this.cover();
    if (this.focusNext) {
      const key = this.focusNext === "first" ? this.anchors[0]?.key : this.anchors.at(-1)?.key;
      this.focusNext = undefined;
      if (key !== undefined) this.elementOf(key, elements)?.focus({ preventScroll: true });
    }
  }

  /** Gives the two spaces their heights. */
  private space(): void {
    const { from, to } = this.state;
    const before = this.log.heights.offset(from);
    if (before + this.log.drift < 0) this.log.drift = -before;
    if (this.above.current) this.above.current.style.height = `${before + this.log.drift}px`;
    if (this.below.current)
      this.below.current.style.height = `${Math.max(0, this.log.heights.total - this.log.heights.offset(to))}px`;
  }

  private measure(elements: readonly HTMLElement[]): void {
    for (const element of elements)
      this.log.measure(Number(element.dataset.index), element.getBoundingClientRect().height);
    const here = new Set<Element>(elements);
    for (const element of this.observed) if (!here.has(element)) this.observer?.unobserve(element);
    for (const element of here) if (!this.observed.has(element)) this.observer?.observe(element);
    this.observed = here;
  }

  /** Puts a row where it is wanted: by the space above it, or by the scroll position where that must change. */
  private align(anchor: Anchor, elements: readonly HTMLElement[], byScrolling: boolean): void {
    const scroller = this.scroller.current;
    const element = this.elementOf(anchor.key, elements);
    if (!scroller || !element) return;
    const off = this.topOf(element) - anchor.top;
    if (Math.abs(off) < 0.02) return;
    const before = this.log.heights.offset(this.state.from);
    const room = before + this.log.drift;
    if (byScrolling || room - off < 0) {
      scroller.scrollTop += off;
      this.anchoredAt = scroller.scrollTop;
      if (byScrolling) return;
      // Scroll positions are whole pixels on most screens.
      const rest = this.topOf(element) - anchor.top;
      if (Math.abs(rest) < 1 && before + this.log.drift - rest >= 0) this.log.drift -= rest;
    } else this.log.drift -= off;
    this.space();
  }

  private nearStart(): boolean {
    const top = this.scroller.current?.scrollTop ?? 0;
    return (
      top - Math.max(0, this.log.drift) < this.viewport ||
      this.log.heights.offset(this.state.from) + this.log.drift <= 0
    );
  }

  /** Moves the scroll position by the drift, and all rows with it: nothing moves on the screen. */
  private makeGood(): void {
    const scroller = this.scroller.current;
    if (!scroller) return;
    const wanted = Math.max(0, scroller.scrollTop - this.log.drift);
    const { drift } = this.log;
    const before = scroller.scrollTop;
    this.log.drift = 0;
    this.space();
    scroller.scrollTop = wanted;
    // What the position could not take (parts of pixels, an end) stays drift.
    this.log.drift = drift - (before - scroller.scrollTop);
    this.space();
  }

  /** Remembers what one sees now, and where. */
  private look(): void {
    const scroller = this.scroller.current;
    if (!scroller) return;
    const { rows, keyOf, onVisible } = this.props;
    const height = this.viewport;
    const whole: Anchor[] = [];
    const cut: Anchor[] = [];
    let first: Row | undefined;
    let last: Row | undefined;
    const origin = scroller.getBoundingClientRect().top + scroller.clientTop;
    for (const element of this.rowsInPage()) {
      const rect = element.getBoundingClientRect();
      const top = rect.top - origin;
      const bottom = rect.bottom - origin;
      if (bottom <= 0 || top >= height) continue;
      const row = rows[Number(element.dataset.index)];
      if (row === undefined) continue;
      // A long row is read from its middle.
      (top >= 0 && top < height * 0.6 ? whole : cut).push({ key: keyOf(row), top });
      if (bottom <= height + 1) {
        if (top >= -1) first ??= row;
        last = row;
      }
    }
    this.anchors = [...whole, ...cut];
    this.anchoredAt = scroller.scrollTop;
    if (!onVisible || last === undefined) return;
    const from = first ?? last;
    const visible = `${keyOf(from)} ${keyOf(last)}`;
    if (visible === this.visible) return;
    this.visible = visible;
    onVisible(from, last);
  }

  private topOf(element: HTMLElement): number {
    const scroller = this.scroller.current;
    return (
      element.getBoundingClientRect().top -
      (scroller?.getBoundingClientRect().top ?? 0) -
      (scroller?.clientTop ?? 0)
    );
  }

  private elementOf(key: string, elements: readonly HTMLElement[]): HTMLElement | undefined {
    return elements.find((element) => this.log.keyAt(Number(element.dataset.index)) === key);
  }

  private readonly onScroll = (): void => {
    const scroller = this.scroller.current;
    if (!scroller) return;
    const atEnd = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < AT_END;
    // A picture may have loaded in the same frame: only one who went up has left the end.
    const stays = this.stuck && scroller.scrollTop >= this.anchoredAt - 1;
    this.stick((atEnd || stays) && this.props.atEnd && this.state.to === this.log.heights.count);
    // One who goes elsewhere no longer waits for a row that is not there yet.
    if (this.target && this.log.indexOf(this.target.key) < 0) this.target = undefined;
    this.rounds = 0;
    this.settle();
    this.load();
    clearTimeout(this.stopped);
    this.stopped = setTimeout(() => this.onStopped(), STOPPED);
  };

  private onStopped(): void {
    if (!this.stuck && Math.abs(this.log.drift) > 1) {
      this.makeGood();
      this.look();
    }
    this.props.onPlace?.(this.place());
  }

  /** Asks for more rows where one comes near an end of those that are there. */
  private load(): void {
    const { atStart, atEnd, loading, onOlder, onNewer } = this.props;
    if (loading || this.log.heights.count === 0) return;
    const y = (this.scroller.current?.scrollTop ?? 0) - this.log.drift;
    const near = this.viewport * 2;
    if (!atStart && !this.asked.older && y < near) {
      this.asked.older = true;
      onOlder?.();
    } else if (!atEnd && !this.asked.newer && this.log.heights.total - y - this.viewport < near) {
      this.asked.newer = true;
      onNewer?.();
    }
  }

  /** The row that Tab leads to. */
  private tabStop(): number {
    const { from, to, active } = this.state;
    const wanted = active ?? this.anchors.at(-1)?.key;
    for (let at = from; at < to; at++) if (wanted !== undefined && this.log.keyAt(at) === wanted) return at;
    return to - 1;
  }

  private readonly onKeyDown = (event: KeyboardEvent): void => {
    const scroller = this.scroller.current;
    const { target } = event;
    if (!scroller || event.ctrlKey || event.metaKey || event.altKey || !(target instanceof HTMLElement))
      return;
    const onRow = target.classList.contains("log-view__row");
    if (!onRow && target !== scroller) return;
    const index = onRow ? Number(target.dataset.index) : this.tabStop();
    const page = scroller.clientHeight * 0.9;
    switch (event.key) {
      case "ArrowUp":
        this.focusRow(index - 1);
        break;
      case "ArrowDown":
        this.focusRow(index + 1);
        break;
      case "PageUp":
        this.turn(-page, "first");
        break;
      case "PageDown":
        this.turn(page, "last");
        break;
      case "Home":
        this.turn(Number.NEGATIVE_INFINITY, "first");
        break;
      case "End":
        this.focusNext = "last";
        this.toEnd();
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  private turn(distance: number, focus: "first" | "last"): void {
    const scroller = this.scroller.current;
    if (!scroller) return;
    if (!this.stuck) this.makeGood();
    this.look();
    scroller.scrollTop = Math.max(0, scroller.scrollTop + distance);
    this.onScroll();
    this.focusNext = focus;
    // Other rows may have to be in the page first.
    this.setState({});
  }

  private focusRow(index: number): void {
    const scroller = this.scroller.current;
    const element = this.rowsInPage().find((each) => Number(each.dataset.index) === index);
    if (!scroller || !element) return;
    element.focus({ preventScroll: true });
    const top = this.topOf(element);
    const bottom = top + element.offsetHeight;
    if (top < 0) scroller.scrollTop += top;
    else if (bottom > scroller.clientHeight)
      scroller.scrollTop += Math.min(top, bottom - scroller.clientHeight);
  }
}
