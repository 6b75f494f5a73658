/** All sections, in the order they run. */
import { section as billion } from './billion.mjs';
import { section as floor } from './floor.mjs';
import { section as micro } from './micro.mjs';
import { section as profile } from './profile.mjs';
import { section as quality } from './quality.mjs';
import { section as ranks } from './ranks.mjs';
import { section as serving } from './serving.mjs';
import { section as single } from './single.mjs';
import { section as zipf } from './zipf.mjs';
import { UsageError } from '../usage-error.mjs';

export const SECTIONS = [serving, single, floor, billion, ranks, zipf, quality, micro, profile];
/** Those that are about the peers. */
export const PEER_SECTIONS = [serving, single];

/** @param {string[]} ids section names or target numbers (`5` or `target5`); empty: all of `sections` */
export function chooseSections(sections, ids) {
  if (ids.length === 0) return sections;
  const matches = ({ name, targets }, id) =>
    name === id || targets.includes(Number(id.replace(/^target/, '')));
  const unknown = ids.find((id) => !sections.some((section) => matches(section, id)));
  if (unknown !== undefined) {
    const known = sections.map(({ name, targets }) => [name, ...targets].join(', ')).join('; ');
    throw new UsageError(`--only: found "${unknown}"; expected some of ${known}.`);
  }
  return sections.filter((section) => ids.some((id) => matches(section, id)));
}
