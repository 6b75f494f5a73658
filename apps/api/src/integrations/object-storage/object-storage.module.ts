import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { openObjectStore, type ObjectStore } from '@aril/object-store';
import { CONFIG, type Config } from '../../base/config/config.js';

/** Injection token of the `ObjectStore`. */
export const OBJECT_STORE = Symbol('OBJECT_STORE');

@Global()
@Module({
  providers: [{ provide: OBJECT_STORE, inject: [CONFIG], useFactory: (config: Config) => openObjectStore(config.objectStore) }],
  exports: [OBJECT_STORE],
})
export class ObjectStorageModule implements OnApplicationShutdown {
  constructor(@Inject(OBJECT_STORE) private readonly store: ObjectStore) {}

  onApplicationShutdown(): void {
    this.store.close();
  }
}
