import { words } from "../../words";
import { Page } from "../kit/Page";
import { Tokens } from "./Tokens";

/** The user's own access tokens. */
export function TokensPage() {
  return (
    <Page title={words.manage.settings.pages.tokens} lead={words.manage.settings.tokens.lead}>
      <Tokens />
    </Page>
  );
}
