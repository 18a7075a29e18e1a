import { Component, type ComponentChildren } from "preact";

interface HeldProps<Row> {
  readonly row: Row;
  readonly render: (row: Row) => ComponentChildren;
}

/** A row that is rendered anew only if it is another, or is rendered by another function. */
export class Held<Row> extends Component<HeldProps<Row>> {
  override shouldComponentUpdate(next: HeldProps<Row>): boolean {
    return next.row !== this.props.row || next.render !== this.props.render;
  }

  render({ row, render }: HeldProps<Row>): ComponentChildren {
    return render(row);
  }
}
