import { words } from "../words";
import "./ConnectionLine.css";
import { newVersion } from "./updates";

/** A line over everything when a newer version of the client waits. */
export function NewVersion() {
  const reload = newVersion.value;
  return (
    <div class="connection" role="status">
      {reload && (
        <p class="connection__line connection__line--news">
          {words.shell.newVersion}
          <button type="button" class="connection__action" onClick={reload}>
            {words.shell.reload}
          </button>
        </p>
      )}
    </div>
  );
}
