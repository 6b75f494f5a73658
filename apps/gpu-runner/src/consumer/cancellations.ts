import { CANCEL_CHANNEL, generationCancelKey } from '@aril/contracts';
import type { Redis } from 'ioredis';
import type { Logger } from '../logging.js';

/**
 * Hears of cancelled generations. Pub/sub forgets what is published while we are not connected, so after each
 * (re)subscription the keys of all running generations are looked at.
 */
export class Cancellations {
  constructor(
    /** In subscriber mode from `start` on, so it must be a connection of its own. */
    private readonly subscriber: Redis,
    private readonly redis: Redis,
    private readonly running: () => string[],
    private readonly cancel: (generationId: string) => void,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    this.subscriber.on('message', (_channel, generationId) => this.cancel(generationId));
    await this.subscriber.subscribe(CANCEL_CHANNEL);
    this.subscriber.on('ready', () => void this.#catchUp());
  }

  async #catchUp(): Promise<void> {
    try {
      const ids = this.running();
      if (ids.length === 0) return;
      // A round trip on the subscribed connection: by then the new subscription is in force, so nothing falls between.
      await this.subscriber.subscribe(CANCEL_CHANNEL);
      const values = await this.redis.mget(ids.map(generationCancelKey));
      ids.forEach((id, index) => {
        if (values[index] !== null) this.cancel(id);
      });
    } catch (error) {
      this.logger.warn({ error: String(error) }, 'looking for missed cancellations failed');
    }
  }
}
