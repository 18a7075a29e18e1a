import { words } from "../words";
import { ToEndIcon } from "./icons";

/** Leads to the end of a log, and says how much is new there. */
export function ToEnd({ news, onClick }: { readonly news: number; readonly onClick: () => void }) {
  return (
    <button
      type="button"
      class={news > 0 ? "log-view__end log-view__end--new" : "log-view__end"}
      {...(news === 0 && { "aria-label": words.text.toEnd, title: words.text.toEnd })}
      onClick={onClick}
    >
      {news > 0 && words.text.newMessages(news)}
      <ToEndIcon />
    </button>
  );
}

export interface Saying {
  readonly id: number;
  readonly text: string;
}

/** What screen readers say of new rows. The rows themselves come and go as one scrolls, and are not to be read out. */
export function Said({ said }: { readonly said: readonly Saying[] }) {
  return (
    <div class="log-view__said" role="log" aria-live="polite" aria-label={words.text.newest}>
      {said.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
