import { Injectable } from '@nestjs/common';
import pLimit from 'p-limit';

/** Well below the database's connections, of all batches of this process together: callers' own requests come first. */
const AT_ONCE = 4;

/** What lines of batches do in the database, a few at a time. */
@Injectable()
export class BackgroundWork {
  readonly run = pLimit(AT_ONCE);
}
