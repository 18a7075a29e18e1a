import { useSession } from "../../app/context";
import { messagePath } from "../../app/paths";
import { Button } from "../../ui/Button";
import { showToast } from "../../ui/toasts";
import type { Report } from "../../wire/chat_pb";
import { formatMoment } from "../../words";
import { manageWords } from "../../words/manage";
import { useForm } from "../kit/FormView";
import { Notice } from "../kit/Notice";
import { Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { toTime } from "../kit/times";
import { usePaged } from "../kit/usePaged";
import type { RoomPageProps } from "./RoomSettingsView";

const text = manageWords.rooms.reports;

/** The reports of the room's messages that wait. */
export function ReportsPage({ room: { roomId } }: RoomPageProps) {
  const { calls } = useSession();
  const reports = usePaged<Report>(
    async (pageToken, signal) => {
      const answer = await calls.moderation.listReports({ roomId, pageToken }, { signal });
      return { items: answer.reports, next: answer.nextPageToken };
    },
    reportKey,
    [roomId],
  );
  return (
    <Page title={manageWords.rooms.settings.pages.reports} lead={text.lead}>
      <PagedList paged={reports} keyOf={reportKey} label={text.list} empty={text.empty}>
        {(report) => (
          <ReportRow
            report={report}
            href={messagePath(roomId, Number(report.seq))}
            onResolve={async () => {
              const answer = await calls.moderation.resolveReport({ roomId, seq: report.seq });
              // All reports of the message are gone with it.
              for (const each of reports.items.value) if (each.seq === report.seq) reports.drop(each);
              showToast(text.resolved(answer.resolved));
            }}
          />
        )}
      </PagedList>
    </Page>
  );
}

interface ReportRowProps {
  readonly report: Report;
  /** Where the message is, for those who may read it. */
  readonly href?: string;
  readonly where?: string;
  readonly onResolve: () => Promise<void>;
}

export function ReportRow({ report, href, where, onResolve }: ReportRowProps) {
  const form = useForm({});
  const made = toTime(report.createTime);
  return (
    <>
      <Row
        title={text.message(Number(report.seq), report.senderUserId)}
        detail={[report.reason, where, made !== undefined && text.by(report.userId, formatMoment(made))]}
        actions={
          <>
            {href && (
              <a class="button button--plain button--small" href={href}>
                {text.show}
              </a>
            )}
            <Button size="small" busy={form.busy.value} onClick={() => void form.submit(onResolve)}>
              {text.resolve}
            </Button>
          </>
        }
      />
      {form.failure.value && <Notice tone="danger">{form.failure.value}</Notice>}
    </>
  );
}

export function reportKey(report: Report): string {
  return `${report.roomId} ${report.seq} ${report.userId}`;
}
