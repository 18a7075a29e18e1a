import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { Avatar } from "../../ui/Avatar";
import { Button } from "../../ui/Button";
import { Checkbox, Field } from "../../ui/Field";
import { PlusIcon } from "../../ui/icons";
import { showToast } from "../../ui/toasts";
import { UserKind, type UserRecord } from "../../wire/chat_pb";
import { formatRelative } from "../../words";
import { manageWords } from "../../words/manage";
import { FormDialog } from "../kit/FormDialog";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import { useQuery } from "../kit/useQuery";
import { accountPath } from "./accountPath";

const text = manageWords.admin.users;

const NEW = { userId: "", displayName: "", password: "", admin: false };

/** All accounts. */
export function UsersPage() {
  const { calls } = useSession();
  const { typed, query, setTyped } = useQuery();
  const [creating, setCreating] = useState(false);
  const users = usePaged<UserRecord>(
    async (pageToken, signal) => {
      const answer = await calls.admin.listUsers({ query, pageToken }, { signal });
      return { items: answer.users, next: answer.nextPageToken };
    },
    idOf,
    [query],
  );
  const create = async ({ userId, displayName, ...rest }: typeof NEW) => {
    const answer = await calls.admin.createUser({
      userId: userId.trim(),
      displayName: displayName.trim(),
      ...rest,
    });
    if (answer.user) users.put(answer.user);
    showToast(text.created(userId.trim()));
  };
  return (
    <Page
      title={manageWords.admin.pages.users}
      lead={text.lead}
      actions={
        <Button variant="primary" onClick={() => setCreating(true)}>
          <PlusIcon />
          {text.create}
        </Button>
      }
    >
      <search class="form-view">
        <Field label={text.search} type="search" value={typed} autoComplete="off" onValue={setTyped} />
      </search>
      <PagedList
        paged={users}
        keyOf={idOf}
        label={text.list}
        empty={query ? text.nothing(query) : text.empty}
      >
        {(record) => <UserRow record={record} />}
      </PagedList>
      {creating && (
        <FormDialog
          title={text.createTitle}
          lead={text.createLead}
          submit={text.createIt}
          initial={NEW}
          places={{ USER_EXISTS: "userId" }}
          fields={{
            userId: { label: manageWords.kit.userId, hint: manageWords.kit.userIdHint, plain: true },
            displayName: { label: text.displayName },
            password: { label: text.password, hint: text.passwordHint, type: "password" },
          }}
          onSubmit={create}
          onClose={() => setCreating(false)}
        >
          {(form) => (
            <Checkbox
              label={text.isAdmin}
              hint={manageWords.admin.user.makeAdminEffect}
              checked={form.values.value.admin}
              onChecked={(on) => form.set("admin", on)}
            />
          )}
        </FormDialog>
      )}
    </Page>
  );
}

function UserRow({ record }: { readonly record: UserRecord }) {
  const { user } = record;
  if (!user) return null;
  const used = toTime(record.lastUsedTime);
  return (
    <Row
      lead={<Avatar userId={user.userId} name={user.displayName} />}
      title={<a href={accountPath(user.userId)}>{user.displayName || user.userId}</a>}
      badges={[
        record.admin && text.admin,
        user.kind === UserKind.BOT && text.bot,
        record.blockTime && text.blocked,
      ]}
      detail={[
        user.userId,
        used === undefined ? text.unused : text.used(formatRelative(used)),
        text.sessions(record.sessions),
      ]}
    />
  );
}

function idOf(record: UserRecord): string {
  return record.user?.userId ?? "";
}
