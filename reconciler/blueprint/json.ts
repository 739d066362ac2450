import type { Json, JsonObject } from '../model/marathon-app.ts';

/**
 * Vamp's merge of a dialect over the computed app (json4s): objects deep, lists joined without
 * repeats, everything else replaced.
 */
export function mergeOver(base: Json, over: Json): Json {
  if (Array.isArray(base) && Array.isArray(over)) {
    const texts = new Set(base.map((item) => JSON.stringify(item)));
    return [...base, ...over.filter((item: Json) => !texts.has(JSON.stringify(item)))];
  }
  if (!isObject(base) || !isObject(over)) return over;
  const merged = Object.entries(over).map(([key, value]): [string, Json] => {
    const before = Object.hasOwn(base, key) ? base[key] : undefined;
    return [key, before === undefined ? value : mergeOver(before, value)];
  });
  return { ...base, ...Object.fromEntries(merged) };
}

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** The objects of a list; anything else has none. */
export function objectsOf(json: Json | undefined): readonly JsonObject[] {
  return Array.isArray(json) ? json.filter((item: Json) => isObject(item)) : [];
}

export function scalarText(json: Json): string {
  return typeof json === 'string' ? json : JSON.stringify(json);
}
