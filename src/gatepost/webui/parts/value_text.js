// A value of a property in words. No DOM.

import { counted, durationText, exactSizeText, numberText } from "../words.js";

/** @import {Property, Schema} from "../server/schema.js" */

/**
 * A value in words, as a table or a comparison shows it.
 * @param {Property} property
 * @param {Schema} schema
 * @param {any} value
 * @returns {string}
 */
export function valueText(property, schema, value) {
  const { type } = property;
  if (value === null || value === undefined) return "not set";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (type.type === "enum") return schema.labelOf(type.enumName, value);
  if (type.type === "number" && type.format === "duration") return durationText(value);
  if (type.type === "number" && type.format === "size") return exactSizeText(value);
  if (typeof value === "number") return [numberText(value), property.unit].filter(Boolean).join(" ");
  if (type.type === "set") {
    const members = Object.keys(value).map((member) => schema.labelOf(type.class?.enumName, member));
    if (members.length > 12) return counted(members.length, "entry", "entries");
    return members.join(", ") || "none";
  }
  return String(value);
}
