import { manageWords } from "../../words/manage";
import { Page } from "../kit/Page";
import { Tokens } from "./Tokens";

/** The user's own access tokens. */
export function TokensPage() {
  return (
    <Page title={manageWords.settings.pages.tokens} lead={manageWords.settings.tokens.lead}>
      <Tokens />
    </Page>
  );
}
