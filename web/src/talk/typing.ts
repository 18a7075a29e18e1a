/**
 * Put a text into a field in place of another, as if somebody had typed it: the field tells of it as of every input,
 * and Ctrl-Z takes it back.
 */
export function typeInto(field: HTMLTextAreaElement, from: number, to: number, text: string): void {
  field.focus();
  field.setSelectionRange(from, to);
  // The one way that keeps what can be undone; a browser that has given it up does the same without that.
  if (document.execCommand?.(text ? "insertText" : "delete", false, text)) return;
  field.setRangeText(text, from, to, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText" }));
}
