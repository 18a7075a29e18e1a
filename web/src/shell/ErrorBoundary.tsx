import { Component, type ComponentChildren } from "preact";
import { Button } from "../ui/Button";
import { words } from "../words";
import "../ui/lazy.css";

interface Props {
  /** What is shown: when it changes, it is tried again. */
  readonly at?: string;
  readonly children: ComponentChildren;
}

/** Keeps a part of the page that fails from taking the rest with it. */
export class ErrorBoundary extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  override componentDidUpdate(before: Props): void {
    if (this.state.failed && before.at !== this.props.at) this.setState({ failed: false });
  }

  override componentDidCatch(error: unknown): void {
    this.setState({ failed: true });
    // To the console, where those who look for the reason find it.
    reportError(error);
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div class="lazy" role="alert">
        <p>{words.shell.failed}</p>
        <Button onClick={() => this.setState({ failed: false })}>{words.common.tryAgain}</Button>
        <Button variant="quiet" onClick={() => location.reload()}>
          {words.shell.reload}
        </Button>
      </div>
    );
  }
}
