import { chooseLook, DENSITIES, HOURS, look, SIZES, THEMES } from "../../app/look";
import { formatTime, words } from "../../words";
import { manageWords } from "../../words/manage";
import { RadioGroup } from "../kit/FormView";
import { Page } from "../kit/Page";
import "./AppearancePage.css";

const text = manageWords.settings.appearance;
/** Half past two in the afternoon, which tells the two ways to write times apart. */
const EXAMPLE = new Date(2026, 0, 1, 14, 30).getTime();

/** How the page looks in this browser. Every choice counts at once. */
export function AppearancePage() {
  const { theme, density, size, hours } = look.value;
  return (
    <Page title={manageWords.settings.pages.appearance} lead={text.lead}>
      <div class="appearance">
        <div class="appearance__choices">
          <RadioGroup
            label={text.theme}
            name="theme"
            value={theme}
            choices={THEMES.map((value) => ({ value, label: words.shell.theme[value] }))}
            onValue={(value) => chooseLook({ theme: value })}
          />
          <RadioGroup
            label={text.density}
            name="density"
            value={density}
            choices={DENSITIES.map((value) => ({
              value,
              label: text.densities[value],
              hint: text.densityHints[value],
            }))}
            onValue={(value) => chooseLook({ density: value })}
          />
          <RadioGroup
            label={text.size}
            name="size"
            value={size}
            choices={SIZES.map((value) => ({ value, label: text.sizes[value] }))}
            onValue={(value) => chooseLook({ size: value })}
          />
          <RadioGroup
            label={text.hours}
            name="hours"
            value={hours}
            choices={HOURS.map((value) => ({ value, label: text.hoursOf[value] }))}
            onValue={(value) => chooseLook({ hours: value })}
          />
        </div>
        <Example key={hours} />
        <p class="appearance__note">{text.motion}</p>
      </div>
    </Page>
  );
}

/** A few messages as they look now. */
function Example() {
  return (
    <figure class="appearance__example" aria-label={text.example}>
      {text.messages.map(({ name, said }, index) => (
        <div key={said} class="appearance__message">
          <span class="appearance__name">{name}</span>
          <span class="appearance__time">{formatTime(EXAMPLE + index * 60_000)}</span>
          <p class="appearance__said">{said}</p>
        </div>
      ))}
    </figure>
  );
}
