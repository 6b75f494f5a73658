/**
 * Items of earlier answers that a conversation names instead of bringing them, as clients do that take it that OpenAI keeps
 * answers (the AI SDK's default). Prompts are never stored, but what an answer said is, as long as texts are.
 */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { z } from 'zod';
import type { Caller } from '../../../base/auth/caller.js';
import type { GenerationRow } from '../../../models/generation.model.js';
import type { TellRates } from '../../generations/generation-admission.js';
import { GenerationFollower } from '../../generations/generation-follower.js';
import { MESSAGES_MAX } from '../../generations/generation-request.js';
import { GenerationService } from '../../generations/generation.service.js';
import { AdmissionService } from '../../limits/admission.service.js';
import { memberOf } from '../openai-error.js';
import type { OfferedTools } from '../tools/offered-tools.js';
import { itemsOf } from './response-endpoint.js';
import type { OutputItem } from './response-output.js';
import { responseToolFields, responseToolOffer } from './response-tools.js';

const reference = z.object({ type: z.literal('item_reference'), id: z.string() });
type Reference = z.output<typeof reference>;
const isReference = (item: unknown): item is Reference => reference.safeParse(item).success;

@Injectable()
export class ItemReferences {
  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
    private readonly admission: AdmissionService,
  ) {}

  /**
   * The body with the items themselves; what is wrong with the rest of it is left to its reader. `tell` hears how far the
   * rates are used: a request counts before anything is looked up for it.
   * @throws ArilError NOT_FOUND, RATE_LIMITED
   */
  async resolve(caller: Caller, body: unknown, tell: TellRates): Promise<unknown> {
    const input = memberOf(body, 'input');
    if (!Array.isArray(input) || input.length > MESSAGES_MAX || !input.some(isReference)) return body;
    const uncount = await this.admission.countRequest(caller, tell);
    const items = await this.find(caller, input.filter(isReference), toolsOf(body));
    const resolved = input.map((item: unknown, index) => (isReference(item) ? (items.get(item.id) ?? refuseItem(index, item.id)) : item));
    uncount();
    return { ...(body as object), input: resolved };
  }

  /** By id, those that are there. */
  private async find(caller: Caller, references: readonly Reference[], tools: OfferedTools | null): Promise<Map<string, OutputItem>> {
    const rows = await this.generations.findAll(caller, references.map(generationOf));
    const items = new Map<string, OutputItem>();
    for (const row of rows.values()) {
      for (const item of await this.itemsOf(caller, row, tools)) items.set(item.id, item);
    }
    return items;
  }

  private async itemsOf(caller: Caller, row: GenerationRow, tools: OfferedTools | null): Promise<OutputItem[]> {
    try {
      const { choices } = await this.follower.answers(caller, row);
      return choices.flatMap((choice) => itemsOf(row.id, choice, tools));
    } catch (error) {
      // Its text is gone.
      if (error instanceof ArilError && error.code === 'CONFLICT') return [];
      throw error;
    }
  }
}

/** An item's id has its generation's in its middle. */
const generationOf = ({ id }: Reference): string => id.split('_')[1] ?? '';

/** A conversation goes on with the functions it began with, by which the calls in its answers are known. */
function toolsOf(body: unknown): OfferedTools | null {
  const { data } = z.object(responseToolFields).safeParse(body);
  return data?.tools?.length ? { tools: responseToolOffer(data).tools, duty: 'auto', parallel: true } : null;
}

function refuseItem(index: number, id: string): never {
  const name = `input[${index}].id`;
  throw new ArilError('NOT_FOUND', `${name}: expected an item of an answer whose text is still kept, found ${JSON.stringify(id.slice(0, 80))}; send the item itself.`, name);
}
