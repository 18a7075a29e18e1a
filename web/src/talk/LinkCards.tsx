import { useEffect, useState } from "preact/hooks";
import { useCalls } from "../app/context";
import type { FileView, LinkCardView } from "../sync/api";
import { imageUrl, isImage } from "./fileContent";
import "./LinkCards.css";

interface LinkCardsProps {
  readonly cards: readonly LinkCardView[];
  readonly files: readonly FileView[];
}

/** What the sender says of links. Where a link leads is always shown. */
export function LinkCards({ cards, files }: LinkCardsProps) {
  return (
    <div class="link-cards">
      {cards.map((card) => {
        const place = hostOf(card.url);
        if (!place) return null;
        const image = files.find((file) => file.fileId === card.imageFileId && isImage(file));
        return (
          <a
            key={card.url}
            class="link-cards__card"
            href={card.url}
            target="_blank"
            rel="noopener noreferrer nofollow"
          >
            {image && <CardImage file={image} />}
            <span class="link-cards__text">
              <span class="link-cards__host truncate">{place}</span>
              {card.title && (
                <span class="link-cards__title" dir="auto">
                  {card.title}
                </span>
              )}
              {card.description && (
                <span class="link-cards__about" dir="auto">
                  {card.description}
                </span>
              )}
            </span>
          </a>
        );
      })}
    </div>
  );
}

function CardImage({ file }: { readonly file: FileView }) {
  const calls = useCalls();
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    let wanted = true;
    imageUrl(calls, file, file.preview).then(
      (found) => wanted && setUrl(found),
      () => undefined,
    );
    return () => {
      wanted = false;
    };
  }, [file.fileId]);
  return url ? <img class="link-cards__image" src={url} width={72} height={72} alt="" /> : null;
}

/** Only addresses of the web become links. */
function hostOf(url: string): string | undefined {
  try {
    const parsed = new URL(url);
    return parsed.protocol === "https:" || parsed.protocol === "http:" ? parsed.host : undefined;
  } catch {
    return undefined;
  }
}
