/**
 * Items of earlier answers that a conversation names instead of bringing them, as clients do that take it that OpenAI keeps
 * answers (the AI SDK's default). Prompts are never stored, but what an answer said is, as long as texts are.
 */
import { Injectable } from '@nestjs/common';
import { ArilError } from '@aril/contracts';
import { z } from 'zod';
import type { Caller } from '../../../base/auth/caller.js';
import { GenerationFollower } from '../../generations/generation-follower.js';
import { MESSAGES_MAX } from '../../generations/generation-request.js';
import { GenerationService } from '../../generations/generation.service.js';
import { memberOf } from '../openai-error.js';
import type { OfferedTools } from '../tools/offered-tools.js';
import { itemsOf } from './response-endpoint.js';
import type { OutputItem } from './response-output.js';
import { responseToolFields, responseToolOffer } from './response-tools.js';

const reference = z.object({ type: z.literal('item_reference'), id: z.string() });
const isReference = (item: unknown): item is z.output<typeof reference> => reference.safeParse(item).success;

@Injectable()
export class ItemReferences {
  constructor(
    private readonly generations: GenerationService,
    private readonly follower: GenerationFollower,
  ) {}

  /**
   * The body with the items themselves; what is wrong with the rest of it is left to its reader.
   * @throws ArilError NOT_FOUND
   */
  async resolve(caller: Caller, body: unknown): Promise<unknown> {
    const input = memberOf(body, 'input');
    if (!Array.isArray(input) || input.length > MESSAGES_MAX || !input.some(isReference)) return body;
    const tools = toolsOf(body);
    const items: unknown[] = [];
    for (const [index, item] of input.entries()) {
      items.push(isReference(item) ? ((await this.find(caller, item.id, tools)) ?? refuseItem(index, item.id)) : item);
    }
    return { ...(body as object), input: items };
  }

  /** An item's id has its generation's in its middle. */
  private async find(caller: Caller, item: string, tools: OfferedTools | null): Promise<OutputItem | undefined> {
    const generation = item.split('_')[1] ?? '';
    try {
      const { choices } = await this.follower.outcome(caller, await this.generations.find(caller, generation), false);
      return choices.flatMap((choice) => itemsOf(generation, choice, tools)).find(({ id }) => id === item);
    } catch (error) {
      // It is not the caller's, or its text is gone.
      if (error instanceof ArilError && (error.code === 'NOT_FOUND' || error.code === 'CONFLICT')) return undefined;
      throw error;
    }
  }
}

/** A conversation goes on with the functions it began with, by which the calls in its answers are known. */
function toolsOf(body: unknown): OfferedTools | null {
  const { data } = z.object(responseToolFields).safeParse(body);
  return data?.tools?.length ? { tools: responseToolOffer(data).tools, duty: 'auto', parallel: true } : null;
}

function refuseItem(index: number, id: string): never {
  const name = `input[${index}].id`;
  throw new ArilError('NOT_FOUND', `${name}: expected an item of an answer whose text is still kept, found ${JSON.stringify(id.slice(0, 80))}; send the item itself.`, name);
}
