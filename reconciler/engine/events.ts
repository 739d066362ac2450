import type { Clock } from './clock.ts';
import { timestamp } from './clock.ts';

export type EventFields = Readonly<Record<string, unknown>>;

export interface EngineEvent {
  readonly eventType: string;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

/** What a listener must offer; `end` is called once, when the bus lets it go. */
export interface Listener {
  next(event: EngineEvent): void;
  end(): void;
}

/** The event bus: what happens, to whoever listens now. Nothing is kept and nothing replayed. */
export class EventBus {
  readonly #listeners = new Set<Listener>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(eventType: string, fields: EventFields): void {
    const event = this.stamped(eventType, fields);
    for (const listener of this.#listeners) listener.next(event);
  }

  /** An event for one listener only, such as `event_stream_attached`. */
  stamped(eventType: string, fields: EventFields): EngineEvent {
    return { ...fields, eventType, timestamp: timestamp(this.#clock.now()) };
  }

  attach(listener: Listener): void {
    this.#listeners.add(listener);
  }

  detach(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** Cuts every stream, as a change of leader does. */
  cut(): void {
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
  }
}
