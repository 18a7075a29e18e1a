import { describe, expect, it } from "vitest";
import { ChatError, Code } from "../../wire/errors";
import { type Page, Paged } from "./Paged";

interface Thing {
  readonly id: string;
  readonly text?: string;
}

const idOf = (thing: Thing) => thing.id;
const things = (...ids: string[]): Thing[] => ids.map((id) => ({ id }));
const idsOf = (paged: Paged<Thing>) => paged.items.value.map(idOf).join("");

function pages(answers: Record<string, Page<Thing> | ChatError>): { paged: Paged<Thing>; asked: string[] } {
  const asked: string[] = [];
  const load = async (token: string) => {
    asked.push(token);
    const answer = answers[token];
    if (!answer || answer instanceof ChatError) throw answer ?? new Error(`no page ${token}`);
    return answer;
  };
  return { paged: new Paged(load, idOf), asked };
}

describe("Paged", () => {
  it("goes from page to page to the end, and not beyond it", async () => {
    const { paged, asked } = pages({
      "": { items: things("a", "b"), next: "2" },
      2: { items: things("c"), next: "" },
    });
    await paged.more();
    expect([idsOf(paged), paged.next.value]).toEqual(["ab", "2"]);
    await paged.more();
    await paged.more();
    expect([idsOf(paged), paged.next.value, asked]).toEqual(["abc", "", ["", "2"]]);
  });

  it("has what comes twice once, in its newest version", async () => {
    const { paged } = pages({
      "": { items: [{ id: "a" }, { id: "b", text: "old" }], next: "2" },
      2: { items: [{ id: "b", text: "new" }, { id: "c" }], next: "" },
    });
    await paged.more();
    await paged.more();
    expect(paged.items.value).toEqual([{ id: "a" }, { id: "b", text: "new" }, { id: "c" }]);
  });

  it("keeps what it has when a page fails, and tries that page again", async () => {
    const answers: Record<string, Page<Thing> | ChatError> = {
      "": { items: things("a"), next: "2" },
      2: new ChatError(Code.Unavailable, "away"),
    };
    const { paged, asked } = pages(answers);
    await paged.more();
    await paged.more();
    expect([idsOf(paged), paged.error.value?.message, paged.loading.value]).toEqual(["a", "away", undefined]);
    answers[2] = { items: things("b"), next: "" };
    await paged.retry();
    expect([idsOf(paged), paged.error.value, asked]).toEqual(["ab", undefined, ["", "2", "2"]]);
  });

  it("begins again where a token no longer counts", async () => {
    const answers: Record<string, Page<Thing> | ChatError> = {
      "": { items: things("a"), next: "old" },
      old: new ChatError(Code.InvalidArgument, "page_token must be …", { field: "page_token" }),
    };
    const { paged, asked } = pages(answers);
    await paged.more();
    answers[""] = { items: things("x"), next: "" };
    await paged.more();
    expect([idsOf(paged), paged.error.value, asked]).toEqual(["x", undefined, ["", "old", ""]]);
  });

  it("drops the answer to a question that is no longer asked", async () => {
    const waiting: ((page: Page<Thing>) => void)[] = [];
    const signals: AbortSignal[] = [];
    const paged = new Paged<Thing>((_, signal) => {
      signals.push(signal);
      return new Promise((resolve) => waiting.push(resolve));
    }, idOf);
    const first = paged.reload();
    const second = paged.reload();
    waiting[1]?.({ items: things("new"), next: "" });
    waiting[0]?.({ items: things("old"), next: "" });
    await Promise.all([first, second]);
    expect([idsOf(paged), paged.loading.value, signals.map((signal) => signal.aborted)]).toEqual([
      "new",
      undefined,
      [true, false],
    ]);
    const third = paged.reload();
    paged.close();
    waiting[2]?.({ items: things("late"), next: "" });
    await third;
    expect([idsOf(paged), paged.loading.value]).toEqual(["new", undefined]);
  });

  it("asks once while a page is under way", async () => {
    const { paged, asked } = pages({
      "": { items: things("a"), next: "2" },
      2: { items: things("b"), next: "3" },
    });
    await paged.more();
    await Promise.all([paged.more(), paged.more()]);
    expect(asked).toEqual(["", "2"]);
  });

  it("puts what is new first, what is known in its place, and drops what is gone", async () => {
    const { paged } = pages({ "": { items: things("a", "b"), next: "" } });
    await paged.more();
    paged.put({ id: "c" });
    paged.put({ id: "a", text: "changed" });
    paged.drop({ id: "b" });
    expect(paged.items.value).toEqual([{ id: "c" }, { id: "a", text: "changed" }]);
  });
});
