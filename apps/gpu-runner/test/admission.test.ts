import { describe, expect, it } from 'vitest';
import { Admission, type Entrant, type Stay } from '../src/engine/admission.js';
import { slotsOf } from '../src/engine/slots.js';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Four slots for one tenant, five in all. */
class Door {
  readonly admission = new Admission({ tenant: 4, engine: 5, taken: 7 });
  readonly inside = new Map<string, Stay>();
  readonly order: string[] = [];

  ask(name: string, change: Partial<Entrant> = {}, signal = new AbortController().signal): Promise<void> {
    const entrant = { tenantId: 'a', choices: 1, background: false, turn: 0, ...change };
    return this.admission.enter(entrant, signal).then((stay) => {
      this.inside.set(name, stay);
      this.order.push(name);
    });
  }

  async names(): Promise<string> {
    await settle();
    return [...this.inside.keys()].join(' ');
  }

  leave(name: string): void {
    this.inside.get(name)?.free();
    this.inside.delete(name);
  }
}

describe('admission', () => {
  it('lets in at once while open, and by turn when it opens again', async () => {
    const door = new Door();
    await door.ask('first');
    door.admission.close();
    void door.ask('late', { turn: 3 });
    void door.ask('early', { turn: 1 });
    void door.ask('early too', { turn: 1 });
    expect(await door.names()).toBe('first');
    door.admission.open();
    expect(await door.names()).toBe('first early early too late');
  });

  it('lets go of who gives up waiting', async () => {
    const door = new Door();
    door.admission.close();
    const leaving = new AbortController();
    const left = door.ask('left', {}, leaving.signal);
    const stays = door.ask('stays');
    leaving.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    door.admission.open();
    await stays;
    await expect(door.ask('left', {}, leaving.signal)).rejects.toThrow('enough');
  });

  it('has room for who waits when the background has all that one tenant can have', async () => {
    const door = new Door();
    for (const tenantId of ['a', 'b', 'c', 'd', 'e']) void door.ask(`batch of ${tenantId}`, { tenantId, background: true, turn: 9 });
    expect(await door.names()).toBe('batch of a batch of b batch of c batch of d');
    void door.ask('a', { tenantId: 'a', turn: 5 });
    expect(await door.names()).toBe('batch of a batch of b batch of c batch of d a');
    void door.ask('b', { tenantId: 'b', turn: 6 });
    door.leave('batch of a');
    expect(await door.names()).toBe('batch of b batch of c batch of d a b');
  });

  it('has room for others when one tenant has all that one can have', async () => {
    const door = new Door();
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) void door.ask(name);
    expect(await door.names()).toBe('a1 a2 a3 a4');
    void door.ask('b1', { tenantId: 'b', turn: 9 });
    void door.ask('b2', { tenantId: 'b', turn: 9 });
    expect(await door.names()).toBe('a1 a2 a3 a4 b1');
    door.leave('a1');
    expect(await door.names()).toBe('a2 a3 a4 b1 a5');
  });

  it('waits for somebody with many choices when it is his turn, so that those with few do not keep him out', async () => {
    const door = new Door();
    for (const name of ['a1', 'a2', 'a3']) void door.ask(name);
    void door.ask('many', { tenantId: 'b', choices: 3, turn: 1 });
    void door.ask('few', { tenantId: 'c', turn: 2 });
    expect(await door.names()).toBe('a1 a2 a3');
    door.leave('a1');
    expect(await door.names()).toBe('a2 a3 many');
    door.leave('a2');
    expect(await door.names()).toBe('a3 many few');
  });

  it('goes on when that somebody gives up', async () => {
    const door = new Door();
    const leaving = new AbortController();
    for (const name of ['a1', 'a2', 'a3']) void door.ask(name);
    const left = door.ask('many', { tenantId: 'b', choices: 3, turn: 1 }, leaving.signal);
    void door.ask('few', { tenantId: 'c', turn: 2 });
    leaving.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    expect(await door.names()).toBe('a1 a2 a3 few');
  });

  it('counts choices, and gives back their slots one by one', async () => {
    const door = new Door();
    void door.ask('three', { choices: 3 });
    void door.ask('two', { choices: 2, turn: 1 });
    expect(await door.names()).toBe('three');
    door.inside.get('three')?.free(1);
    expect(await door.names()).toBe('three two');
    // What has been given back is not given back again.
    door.leave('three');
    door.leave('two');
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) void door.ask(name);
    expect(await door.names()).toBe('a1 a2 a3 a4');
  });

  it('lets in alone what has more choices than there are slots', async () => {
    const door = new Door();
    void door.ask('a1');
    void door.ask('more', { tenantId: 'b', choices: 16 });
    void door.ask('after', { tenantId: 'c', turn: 1 });
    expect(await door.names()).toBe('a1');
    door.leave('a1');
    expect(await door.names()).toBe('more');
    door.leave('more');
    expect(await door.names()).toBe('after');
  });
});

it('has an eighth more slots than one tenant can have, and takes a little more than it has slots', () => {
  expect([1, 8, 64].map((MAX_BATCH) => slotsOf({ MAX_BATCH }))).toEqual([
    { tenant: 1, engine: 2, taken: 4 },
    { tenant: 8, engine: 9, taken: 11 },
    { tenant: 64, engine: 72, taken: 80 },
  ]);
});
