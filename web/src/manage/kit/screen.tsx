import { type ComponentChildren, render } from "preact";
import { act } from "preact/test-utils";
import { SessionContext } from "../../app/context";
import { type Answers, type Recorded, sessionDouble } from "./doubles";
import { ManageRoot } from "./ManageRoot";

let shown: Element | undefined;

/** A page of this folder on a screen of its own, with calls that answer from a table. For tests. */
export class Screen {
  readonly made: Recorded[];
  readonly #root = document.createElement("div");

  private constructor(made: Recorded[]) {
    this.made = made;
    if (shown) render(null, shown);
    shown = this.#root;
    document.body.replaceChildren(this.#root);
  }

  static async of(page: ComponentChildren, answers: Answers): Promise<Screen> {
    const { session, made } = sessionDouble(answers);
    const screen = new Screen(made);
    await act(async () => {
      render(
        <SessionContext.Provider value={session}>
          <ManageRoot>{page}</ManageRoot>
        </SessionContext.Provider>,
        screen.#root,
      );
    });
    await screen.settle();
    return screen;
  }

  get text(): string {
    return this.#root.textContent ?? "";
  }

  /** The requests of one method. */
  // biome-ignore lint/suspicious/noExplicitAny: requests of many kinds
  asked(method: string): any[] {
    return this.made.filter((each) => each.method === method).map((each) => each.request);
  }

  /** The control that a label is for. */
  field(label: string): HTMLInputElement {
    const found = [...this.#root.querySelectorAll("label")].find((each) => each.textContent === label);
    const control = found && document.getElementById(found.htmlFor);
    if (!(control instanceof HTMLElement)) throw new Error(`no field ${label}`);
    return control as HTMLInputElement;
  }

  /** What is said about a field. */
  about(label: string): string {
    const ids = this.field(label).getAttribute("aria-describedby")?.split(" ") ?? [];
    return ids.map((id) => document.getElementById(id)?.textContent).join(" ");
  }

  button(name: string): HTMLButtonElement {
    const all = [...this.#root.querySelectorAll("button")];
    const found = all.findLast(
      (each) => each.textContent === name || each.getAttribute("aria-label") === name,
    );
    if (!found) throw new Error(`no button ${name} among ${all.map((each) => each.textContent)}`);
    return found;
  }

  async type(label: string, text: string): Promise<void> {
    const field = this.field(label);
    await act(() => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  async press(name: string): Promise<void> {
    await act(() => this.button(name).click());
    await this.settle();
  }

  /** Answers of calls arrive in tasks of their own. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) await act(() => new Promise((resolve) => setTimeout(resolve)));
  }
}
