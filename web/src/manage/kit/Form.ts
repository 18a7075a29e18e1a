import { type ReadonlySignal, signal } from "@preact/signals";
import { type Limits, limits, tooLong } from "../../app/limits";
import { type ChatError, toChatError } from "../../wire/errors";
import { words } from "../../words";

/** Which limit fields have, by their names, which are those of requests. */
const LIMITS: Readonly<Record<string, keyof Limits>> = {
  userId: "idBytes",
  name: "nameBytes",
  displayName: "nameBytes",
  deviceName: "nameBytes",
  topic: "topicBytes",
  reason: "topicBytes",
};

/**
 * What somebody fills in, and what the server says about it.
 *
 * An error that names a field of the request is kept at that field; `places` names the fields whose names here differ
 * from the request's (`new_password` is `newPassword` by itself), and reasons that concern a field without naming it.
 */
export class Form<V extends object> {
  readonly #initial = signal<V>({} as V);
  readonly #values = signal<V>({} as V);
  readonly #errors = signal<Partial<Record<keyof V, string>>>({});
  readonly #failure = signal<string | undefined>(undefined);
  readonly #busy = signal(false);
  readonly #places: Readonly<Record<string, keyof V>>;

  constructor(initial: V, places: Readonly<Record<string, keyof V>> = {}) {
    this.#initial.value = initial;
    this.#values.value = initial;
    this.#places = places;
  }

  get values(): ReadonlySignal<V> {
    return this.#values;
  }

  get errors(): ReadonlySignal<Partial<Record<keyof V, string>>> {
    return this.#errors;
  }

  /** What concerns no field. */
  get failure(): ReadonlySignal<string | undefined> {
    return this.#failure;
  }

  get busy(): ReadonlySignal<boolean> {
    return this.#busy;
  }

  /** Whether anything differs from what is saved. */
  get changed(): boolean {
    return this.changes().length > 0;
  }

  /** The values that differ from what is saved. */
  changes(): (keyof V)[] {
    const keys = Object.keys(this.#values.value) as (keyof V)[];
    return keys.filter((key) => !same(this.#values.value[key], this.#initial.value[key]));
  }

  set<K extends keyof V>(key: K, value: V[K]): void {
    this.#values.value = { ...this.#values.value, [key]: value };
    const long = this.#tooLong(key);
    if (long) this.refuse(key, long);
    else if (this.#errors.value[key] !== undefined) {
      const { [key]: _, ...others } = this.#errors.value;
      this.#errors.value = others as Partial<Record<keyof V, string>>;
    }
  }

  /** What the server would say of a text that is too long, before it is asked. */
  #tooLong(key: keyof V): string | undefined {
    const limit = LIMITS[String(key)];
    const value = this.#values.value[key];
    return limit && typeof value === "string" ? tooLong(value, limits.peek()[limit]) : undefined;
  }

  /** Takes values for saved ones: everything is as it is at the server. */
  reset(values: V = this.#initial.value): void {
    this.#initial.value = values;
    this.#values.value = values;
    this.#errors.value = {};
    this.#failure.value = undefined;
  }

  /** Says what the page itself finds wrong with a field. */
  refuse(key: keyof V, text: string): void {
    this.#errors.value = { ...this.#errors.value, [key]: text };
  }

  /** Carries out `action`, unless it is under way already. Returns whether it succeeded. */
  async submit(action: (values: V) => Promise<void>): Promise<boolean> {
    if (this.#busy.value) return false;
    this.#errors.value = {};
    for (const key of Object.keys(this.#values.value) as (keyof V)[]) {
      const long = this.#tooLong(key);
      if (long) this.refuse(key, long);
    }
    if (Object.keys(this.#errors.value).length > 0) return false;
    this.#busy.value = true;
    this.#failure.value = undefined;
    try {
      await action(this.#values.value);
      return Object.keys(this.#errors.value).length === 0;
    } catch (thrown) {
      this.#show(toChatError(thrown));
      return false;
    } finally {
      this.#busy.value = false;
    }
  }

  #show(error: ChatError): void {
    const place = this.#place(error);
    if (place === undefined) this.#failure.value = errorText(error);
    else this.#errors.value = { [place]: fieldErrorText(error) } as Partial<Record<keyof V, string>>;
  }

  #place(error: ChatError): keyof V | undefined {
    if (error.field !== undefined) {
      const last = lastOf(error.field);
      const place = this.#places[error.field] ?? this.#places[last] ?? (camel(last) as keyof V);
      if (place in this.#values.value) return place;
    }
    return this.#places[error.reason];
  }
}

/** What an error says to a person. */
export function errorText(error: ChatError): string {
  return error.unreachable ? words.common.unreachable : sentence(error.message);
}

/** The same, next to the field: "new_password must be …" is "Must be …". */
export function fieldErrorText(error: ChatError): string {
  const { field, message } = error;
  if (field === undefined) return errorText(error);
  for (const name of [field, lastOf(field)])
    if (message.startsWith(`${name} `)) return sentence(message.slice(name.length + 1));
  return errorText(error);
}

function sentence(text: string): string {
  const begun = text.slice(0, 1).toLocaleUpperCase() + text.slice(1);
  return begun === "" || /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function same(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, index) => item === other[index]);
  return one === other;
}
