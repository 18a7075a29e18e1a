import { caps, KEYS, type Place } from "../app/keys";
import { Dialog } from "../ui/Dialog";
import { words } from "../words";
import "./KeysDialog.css";

const PLACES = Object.keys(KEYS) as Place[];

/** All that keys do. */
export function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title={words.keys.title} onClose={onClose} size="large">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must be able to scroll it */}
      <section class="keys-dialog" tabIndex={0} aria-label={words.keys.title}>
        {PLACES.map((place) => (
          <section key={place} class="keys-dialog__place" aria-labelledby={`keys-${place}`}>
            <h3 class="keys-dialog__title" id={`keys-${place}`}>
              {words.keys[place].title}
            </h3>
            <dl class="keys-dialog__list">
              {Object.entries<readonly string[]>(KEYS[place]).map(([action, keys]) => (
                <div key={action} class="keys-dialog__row" data-action={`${place}.${action}`}>
                  <dt>{(words.keys[place].actions as Record<string, string>)[action]}</dt>
                  <dd class="keys-dialog__keys">
                    {keys.map((key, index) => (
                      <span key={key} class="keys-dialog__chord">
                        {index > 0 && <span class="keys-dialog__or">{words.keys.or}</span>}
                        {caps(key).map((cap) => (
                          <kbd key={cap}>{cap}</kbd>
                        ))}
                      </span>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </section>
    </Dialog>
  );
}
