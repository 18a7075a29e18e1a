import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { homePath } from "../../app/paths";
import { BackIcon } from "../../ui/icons";
import { words } from "../../words";
import "./Page.css";

interface PageProps {
  readonly title: string;
  /** A sentence about what the page is for. */
  readonly lead?: ComponentChildren;
  /** Buttons beside the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A page with its heading, which gets the focus when it opens, so that reading begins there. */
export function Page({ title, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="page">
      <header class="page__header">
        <h1 class="page__title" tabIndex={-1} ref={heading} dir="auto">
          {title}
        </h1>
        {actions && <div class="page__actions">{actions}</div>}
        {lead && <p class="page__lead">{lead}</p>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page under its own heading. */
export function Section({ title, lead, actions, children }: PageProps) {
  const id = useId();
  return (
    <section class="section" aria-labelledby={id}>
      <header class="page__header">
        <h2 class="section__title" id={id}>
          {title}
        </h2>
        {actions && <div class="page__actions">{actions}</div>}
        {lead && <p class="page__lead">{lead}</p>}
      </header>
      {children}
    </section>
  );
}

/** On a phone, where the list of rooms is not beside the page: the way back to it. */
export function BackHome() {
  return (
    <a class="pages__back pages__back--home" href={homePath}>
      <BackIcon />
      {words.shell.rooms}
    </a>
  );
}

export interface PageLink {
  readonly key: string;
  readonly label: string;
  readonly icon?: ComponentChildren;
  /** Its address, where that is not the base and the key. */
  readonly href?: string;
  /** How many things wait there. */
  readonly count?: number;
}

export interface PageGroup {
  readonly label?: string;
  readonly links: readonly PageLink[];
}

interface PagesProps {
  /** What the pages have in common. */
  readonly title: string;
  /** The address that the keys of pages are appended to, without a slash at its end. */
  readonly base: string;
  readonly groups: readonly PageGroup[];
  /** The key of the page that the address names; undefined for none. */
  readonly chosen: string | undefined;
  /** The key of the page that is shown. */
  readonly shown: string;
  /** Where to go back to from the list of pages. */
  readonly back?: { readonly href: string; readonly label: string };
  readonly children: ComponentChildren;
}

/**
 * Pages beside the list of them.
 *
 * Where there is no room for both, an address without a key shows the list, and a page leads back to it.
 */
export function Pages({ title, base, groups, chosen, shown, back, children }: PagesProps) {
  return (
    <div class={chosen === undefined ? "pages" : "pages pages--chosen"}>
      <nav class="pages__nav" aria-label={title}>
        {!back && <BackHome />}
        {back && (
          <a class="pages__back" href={back.href} dir="auto">
            <BackIcon />
            <span class="truncate">{back.label}</span>
          </a>
        )}
        <p class="pages__title">{title}</p>
        {groups.map((group, index) => (
          <div key={group.label ?? index} class="pages__group">
            {group.label && <p class="pages__label">{group.label}</p>}
            <ul class="pages__links">
              {group.links.map((link) => (
                <li key={link.key}>
                  <a
                    class="pages__link"
                    href={link.href ?? `${base}/${link.key}`}
                    aria-current={link.key === shown ? "page" : undefined}
                  >
                    {link.icon}
                    <span class="truncate">{link.label}</span>
                    {link.count ? <span class="pages__count">{link.count}</span> : null}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <div class="pages__page">
        <a class="pages__back pages__back--up" href={base}>
          <BackIcon />
          {title}
        </a>
        {children}
      </div>
    </div>
  );
}

/** Some words about a person or a thing, in a row of a list, with what can be done. */
export function Row({
  lead,
  title,
  badges,
  detail,
  actions,
}: {
  readonly lead?: ComponentChildren;
  readonly title: ComponentChildren;
  readonly badges?: readonly (string | false | undefined)[];
  readonly detail?: readonly (ComponentChildren | false | undefined)[];
  readonly actions?: ComponentChildren;
}) {
  const details = detail?.filter(Boolean) ?? [];
  return (
    <div class="row">
      {lead && <div class="row__lead">{lead}</div>}
      <div class="row__text">
        <p class="row__title">
          <bdi class="row__name">{title}</bdi>
          {badges?.map(
            (badge) =>
              badge && (
                <span key={badge} class="row__badge">
                  {badge}
                </span>
              ),
          )}
        </p>
        {details.length > 0 && (
          <p class="row__detail">
            {details.map((each, index) => (
              <span key={index} class="row__fact">
                <bdi>{each}</bdi>
              </span>
            ))}
          </p>
        )}
      </div>
      {actions && <div class="row__actions">{actions}</div>}
    </div>
  );
}

/** A page without others beside it. */
export function Alone({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="manage__alone">
      <BackHome />
      {children}
    </div>
  );
}
