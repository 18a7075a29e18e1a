import { createRef, render } from "preact";
import { useState } from "preact/hooks";
import { LogView } from "../LogView";
import type { LogPlace } from "../LogViewProps";
import "../tokens.css";
import "../base.css";
import "./page.css";

interface Row {
  readonly seq: number;
  readonly text: string;
}

/** Rows of 1 to 24 lines: which one has how many is always the same. */
const rowOf = (seq: number): Row => ({
  seq,
  text: `Row ${seq}.\n${"line\n".repeat((seq * 2654435761) % 7 === 0 ? 24 : (seq * 40503) % 6)}`,
});
const log = createRef<LogView<Row>>();
let change: (next: (state: State) => State) => void = () => {};

interface State {
  rows: readonly Row[];
  atStart: boolean;
  atEnd: boolean;
}

const asked = { older: 0, newer: 0, place: undefined as LogPlace | undefined, visible: "" };

function Page({ first, last, place }: { first: number; last: number; place?: LogPlace }) {
  const [state, setState] = useState<State>({
    rows: Array.from({ length: last - first + 1 }, (_, at) => rowOf(first + at)),
    atStart: first === 1,
    atEnd: true,
  });
  change = setState;
  return (
    <LogView
      ref={log}
      {...state}
      {...(place && { place })}
      keyOf={keyOf}
      render={show}
      label="The log"
      onOlder={() => asked.older++}
      onNewer={() => asked.newer++}
      onPlace={(where) => {
        asked.place = where;
      }}
      onVisible={(from, to) => {
        asked.visible = `${from.seq} ${to.seq}`;
      }}
      announce={(row) => `Row ${row.seq}`}
    />
  );
}

const keyOf = (row: Row) => String(row.seq);
const show = (row: Row) => (
  <div class="row" id={`row-${row.seq}`}>
    {row.text.split("\n").map((line, at) => (
      <div key={at}>{line}</div>
    ))}
  </div>
);

const tools = {
  asked,
  log,
  start(first: number, last: number, place?: LogPlace) {
    const root = document.getElementById("root") as HTMLElement;
    render(null, root);
    render(<Page first={first} last={last} {...(place && { place })} />, root);
  },
  /** Adds so many rows at the start and at the end, or takes them away. */
  grow(above: number, below: number) {
    change(({ rows, ...rest }) => {
      const first = rows[0]?.seq ?? 1;
      const last = rows.at(-1)?.seq ?? 0;
      const kept = rows.slice(Math.max(0, -above), rows.length - Math.max(0, -below));
      const older = Array.from({ length: Math.max(0, above) }, (_, at) => rowOf(first - above + at));
      const newer = Array.from({ length: Math.max(0, below) }, (_, at) => rowOf(last + 1 + at));
      return { ...rest, rows: [...older, ...kept, ...newer] };
    });
  },
  /** Gives rows another text. */
  rewrite(seqs: readonly number[], lines: number) {
    change(({ rows, ...rest }) => ({
      ...rest,
      rows: rows.map((row) =>
        seqs.includes(row.seq)
          ? { seq: row.seq, text: `Row ${row.seq} anew.\n${"line\n".repeat(lines)}` }
          : row,
      ),
    }));
  },
  /** Takes rows away at the start, but none that can be seen or nearly. */
  trim(count: number) {
    const first = Number(document.querySelector(".row")?.id.slice(4));
    change(({ rows, ...rest }) => ({
      ...rest,
      rows: rows.filter((row, at) => at >= count || row.seq >= first),
    }));
  },
  /** Makes a row higher, as a picture does that has loaded. */
  pad(seq: number, pixels: number) {
    const row = document.getElementById(`row-${seq}`);
    if (row) row.style.paddingBottom = `${pixels}px`;
  },
  scroller: () => document.querySelector(".log-view__scroller") as HTMLElement,
  /** Where rows are that can be seen, by their number. */
  seen(): Record<string, number> {
    const scroller = tools.scroller();
    const box = scroller.getBoundingClientRect();
    return Object.fromEntries(
      [...scroller.querySelectorAll(".row")]
        .map((row) => [row.id.slice(4), row.getBoundingClientRect()] as const)
        .filter(([, rect]) => rect.bottom > box.top && rect.top < box.bottom)
        .map(([id, rect]) => [id, rect.top - box.top]),
    );
  },
};

Object.assign(window, { tools });
