import { type ReadonlySignal, signal } from "@preact/signals";
import { type ChatError, toChatError } from "../../wire/errors";

/** A page as the server returns it: `next` is empty on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string;
}

/** Returns the page that a token names, the first one for an empty token. */
export type LoadPage<T> = (pageToken: string, signal: AbortSignal) => Promise<Page<T>>;

/**
 * A list that the server returns in pages.
 *
 * What changes while somebody reads shifts the pages: an item that comes twice stays where it was, in its newest
 * version. An answer that comes after `reload` or `close` counts for nothing.
 */
export class Paged<T> {
  readonly #items = signal<readonly T[]>([]);
  readonly #loading = signal<"first" | "more" | undefined>(undefined);
  readonly #error = signal<ChatError | undefined>(undefined);
  readonly #next = signal<string | undefined>(undefined);
  readonly #load: LoadPage<T>;
  readonly #key: (item: T) => string;
  #run = new AbortController();
  #wanted: "first" | "more" = "first";

  constructor(load: LoadPage<T>, key: (item: T) => string) {
    this.#load = load;
    this.#key = key;
  }

  get items(): ReadonlySignal<readonly T[]> {
    return this.#items;
  }

  /** Which page is under way. */
  get loading(): ReadonlySignal<"first" | "more" | undefined> {
    return this.#loading;
  }

  /** Why the last page that was wanted did not come. `retry` tries it again. */
  get error(): ReadonlySignal<ChatError | undefined> {
    return this.#error;
  }

  /** Undefined until the first page is there, then empty after the last one. */
  get next(): ReadonlySignal<string | undefined> {
    return this.#next;
  }

  /** Loads the next page: the first one if there is none yet. */
  more(): Promise<void> {
    const token = this.#next.value;
    if (token === undefined) return this.reload();
    if (this.#loading.value !== undefined || token === "") return Promise.resolve();
    return this.#fetch("more", token);
  }

  /** Loads the list anew; what is shown stays until the first page is there. */
  reload(): Promise<void> {
    this.#run.abort();
    this.#run = new AbortController();
    return this.#fetch("first", "");
  }

  /** Tries again what failed. */
  retry(): Promise<void> {
    return this.#wanted === "more" ? this.more() : this.reload();
  }

  /** Shows an item in the version that a call returned, at its place, or first if it is new. */
  put(item: T): void {
    const at = this.#at(item);
    this.#items.value =
      at === -1
        ? [item, ...this.#items.value]
        : this.#items.value.map((old, index) => (index === at ? item : old));
  }

  /** Takes an item out that a call has removed. */
  drop(item: T): void {
    const key = this.#key(item);
    this.#items.value = this.#items.value.filter((each) => this.#key(each) !== key);
  }

  close(): void {
    this.#run.abort();
    this.#run = new AbortController();
    this.#loading.value = undefined;
  }

  async #fetch(what: "first" | "more", token: string): Promise<void> {
    const run = this.#run;
    this.#wanted = what;
    this.#loading.value = what;
    this.#error.value = undefined;
    try {
      const page = await this.#load(token, run.signal);
      if (run !== this.#run) return;
      if (what === "first") this.#items.value = [];
      this.#merge(page.items);
      this.#next.value = page.next;
    } catch (thrown) {
      if (run !== this.#run) return;
      const error = toChatError(thrown);
      // A token of another day, after a restored backup for example: begin again.
      if (what === "more" && error.field === "page_token") return this.reload();
      this.#error.value = error;
    }
    this.#loading.value = undefined;
  }

  #at(item: T): number {
    const key = this.#key(item);
    return this.#items.value.findIndex((each) => this.#key(each) === key);
  }

  #merge(page: readonly T[]): void {
    const items = new Map(this.#items.value.map((item) => [this.#key(item), item]));
    for (const item of page) items.set(this.#key(item), item);
    this.#items.value = [...items.values()];
  }
}
