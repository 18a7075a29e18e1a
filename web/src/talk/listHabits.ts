import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { keep, kept, onKept } from "../app/kept";
import { ORDERS, type Section, type Sorting } from "./roomOrder";

/** How somebody has their rooms in this browser. */
export interface ListHabits extends Sorting {
  /** Sections that are closed. */
  readonly closed: readonly Section["key"][];
}

const WHAT = "rooms";
const USUAL: ListHabits = { order: "unread", favourites: [], closed: [] };

const known = new Map<string, Signal<ListHabits>>();

/** Those of a person; changes of other tabs are seen, too. */
export function listHabits(userId: string): ReadonlySignal<ListHabits> {
  return habitsOf(userId);
}

export function changeListHabits(userId: string, change: Partial<ListHabits>): void {
  const habits = habitsOf(userId);
  habits.value = { ...habits.peek(), ...change };
  keep(userId, WHAT, habits.peek());
}

/** A list with something in it, or without it. */
export function toggled<T>(list: readonly T[], one: T): readonly T[] {
  return list.includes(one) ? list.filter((other) => other !== one) : [...list, one];
}

function habitsOf(userId: string): Signal<ListHabits> {
  let habits = known.get(userId);
  if (!habits) {
    const found = signal(read(userId));
    onKept(userId, WHAT, () => {
      found.value = read(userId);
    });
    known.set(userId, found);
    habits = found;
  }
  return habits;
}

function read(userId: string): ListHabits {
  const found = kept(userId, WHAT);
  if (typeof found !== "object" || found === null) return USUAL;
  const { order, favourites, closed } = found as Partial<Record<keyof ListHabits, unknown>>;
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
  return {
    order: ORDERS.find((one) => one === order) ?? USUAL.order,
    favourites: strings(favourites),
    closed: strings(closed) as Section["key"][],
  };
}
