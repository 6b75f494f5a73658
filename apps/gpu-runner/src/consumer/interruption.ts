/**
 * Why a generation stops before its own end.
 * `cancelled`: its caller wants no more; it ends here. `handedBack`: another runner shall go on with it.
 * `lost`: another runner goes on with it already; nothing may be written or reported.
 */
export type InterruptionKind = 'cancelled' | 'handedBack' | 'lost';

export class Interruption extends Error {
  constructor(readonly kind: InterruptionKind) {
    super(`the generation was interrupted: ${kind}`);
    this.name = 'Interruption';
  }
}
