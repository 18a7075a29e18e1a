import type { ComponentChildren } from "preact";
import { ConfirmHost } from "./confirm";

/** What every page of this folder is in. */
export function ManageRoot({ children }: { readonly children: ComponentChildren }) {
  return (
    <>
      <div class="manage">{children}</div>
      <ConfirmHost />
    </>
  );
}
