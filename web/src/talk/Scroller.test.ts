import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Scroller } from "./Scroller";

/** What a browser does to the position of a view when heights change. */
class View extends EventTarget {
  private position = 0;
  private readonly heights = { view: 600, content: 1000 };
  offsetHeight = 0;

  get scrollTop(): number {
    return this.position;
  }

  set scrollTop(to: number) {
    this.position = Math.max(0, Math.min(to, this.heights.content - this.heights.view));
  }

  get scrollHeight(): number {
    return this.heights.content;
  }

  get clientHeight(): number {
    return this.heights.view;
  }

  resize(heights: { view?: number; content?: number }): void {
    Object.assign(this.heights, heights);
    this.scrollTop = this.position;
  }

  scrolled(): void {
    this.dispatchEvent(new Event("scroll"));
  }

  getBoundingClientRect(): { top: number; bottom: number; height: number } {
    return { top: 0, bottom: this.heights.view, height: this.heights.view };
  }
}

let view: View;
let scroller: Scroller;
/** The browser sees that something has another size. */
let resized: () => void;

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(told: () => void) {
        resized = told;
      }
      observe(): void {}
      disconnect(): void {}
    },
  );
  view = new View();
  const content = { querySelectorAll: () => [] } as unknown as HTMLElement;
  scroller = new Scroller(
    view as unknown as HTMLElement,
    content,
    () => true,
    () => {},
  );
  scroller.toEnd();
});

afterEach(() => {
  scroller.close();
  vi.unstubAllGlobals();
});

function below(): number {
  return view.scrollHeight - view.clientHeight - view.scrollTop;
}

test("follows the end where the view shrinks before the browser tells of an earlier scroll", () => {
  view.resize({ view: 560 });
  view.scrolled();
  resized();
  expect(scroller.isAtEnd).toBe(true);
  expect(below()).toBe(0);
});

test("follows the end where a row grows before the browser tells of an earlier scroll", () => {
  view.resize({ content: 1300 });
  view.scrolled();
  resized();
  expect(scroller.isAtEnd).toBe(true);
  expect(below()).toBe(0);
});

test("follows the end where a message comes as the view grows", () => {
  view.resize({ view: 640 });
  scroller.hold();
  view.resize({ content: 1060 });
  scroller.settle();
  view.scrolled();
  expect(scroller.isAtEnd).toBe(true);
  expect(below()).toBe(0);
});

test("leaves the end with the reader, whether or not the browser has said so", () => {
  view.scrollTop -= 100;
  scroller.hold();
  view.resize({ content: 1060 });
  scroller.settle();
  view.scrolled();
  expect(scroller.isAtEnd).toBe(false);

  scroller.toEnd();
  view.scrollTop -= 100;
  view.scrolled();
  view.resize({ content: 1200 });
  resized();
  expect(scroller.isAtEnd).toBe(false);
});
