/** Where generated text goes: columns or one stream in a terminal, blocks in order in a pipe. */
import { ColumnView, type Terminal } from './column-view.js';
import type { Generation } from './engine-session.js';
import { sanitize } from './text-layout.js';

export interface GenerateOutput {
  append(target: number, text: string): void;
  /** The target has ended, with this text in all. */
  ended(target: number, text: string): void;
  finish(): void;
}

export type Screen = Terminal & { isTTY?: boolean };

export function generateOutput(screen: Screen, titles: string[]): GenerateOutput {
  if (titles.length === 1) return streamOne(screen);
  if (!screen.isTTY) return blocksInOrder(screen, titles);
  const view = new ColumnView(screen, titles);
  return {
    append: (target, text) => view.append(target, text),
    ended: () => {},
    finish: () => view.finish(),
  };
}

/** A pipe gets the model's text as it is; a terminal gets it without control characters. */
function streamOne(screen: Screen): GenerateOutput {
  let last = '\n';
  const append = (_: number, text: string): void => {
    screen.write(screen.isTTY ? sanitize(text) : text);
    last = text.at(-1) ?? last;
  };
  return { append, ended: () => {}, finish: () => void (last === '\n' || screen.write('\n')) };
}

function blocksInOrder(screen: Screen, titles: string[]): GenerateOutput {
  const texts = new Map<number, string>();
  let next = 0;
  const flush = (): void => {
    for (let text = texts.get(next); text !== undefined; text = texts.get(++next)) {
      screen.write(`${next > 0 ? '\n' : ''}== ${titles[next]} ==\n${text}${text.endsWith('\n') ? '' : '\n'}`);
    }
  };
  return {
    append: () => {},
    ended(target, text) {
      texts.set(target, text);
      flush();
    },
    finish: () => {},
  };
}

/** One line per target, for standard error. */
export function describeEnd(title: string, generation: Generation): string {
  const { completionTokens: count, finishReason, error, seconds } = generation;
  if (error) return `${title}: ${error.code}: ${error.message}`;
  const rate = seconds > 0 && count > 1 ? `, ${(count / seconds).toFixed(1)} tokens/s` : '';
  return `${title}: ${count} ${count === 1 ? 'token' : 'tokens'} in ${seconds.toFixed(2)} s${rate}, ${finishReason}`;
}
