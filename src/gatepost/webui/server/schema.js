// The schema document of the server as the pages ask for it. Forms, tables and the menu are made from it alone.

/**
 * @typedef {{
 *   type: string, format?: string, enumName?: string, objectName?: string, class?: PropertyType, nullable?: boolean,
 *   min?: number, max?: number, minLength?: number, maxLength?: number, minItems?: number, maxItems?: number,
 * }} PropertyType
 * @typedef {{
 *   name: string, label: string, help: string, type: PropertyType, unit: string | null, isRequired: boolean, mayOwnerChange: boolean,
 *   update: "mutable" | "immutable" | "serverSet", effect: "now" | "next" | "rebind" | "none", default: any,
 * }} Property
 * @typedef {{title: string, fields: string[]}} Section
 * @typedef {{
 *   title: string, subtitle: string, labelProperty: string, singular: string, plural: string,
 *   columns: string[], filters: string[],
 * }} ListView
 * @typedef {Record<string, any>} Obj an object as the API gives it
 */

export class ObjectType {
  /**
   * @param {string} name with `x:`
   * @param {any} document the whole schema document
   */
  constructor(name, document) {
    const fields = document.fields[name];
    this.name = name;
    this.description = /** @type {string} */ (document.objects[name].description);
    this.isSingleton = document.objects[name].type === "singleton";
    this.permissionPrefix = /** @type {string} */ (document.objects[name].permissionPrefix);
    /** @type {Map<string, Property>} */
    this.properties = new Map(
      Object.keys(fields.properties).map((each) => [each, propertyOf(each, fields.properties[each], fields.defaults)]),
    );
    /** @type {Section[]} */
    this.sections = (document.forms[name]?.sections ?? []).map((/** @type {any} */ section) => ({
      title: section.title,
      fields: section.fields.map((/** @type {any} */ field) => field.name),
    }));
    this.list = listOf(document.lists[name]);
  }

  /** The defaults of a new object; what has none is left out. @returns {Obj} */
  defaults() {
    return Object.fromEntries(
      [...this.properties.values()].filter((each) => each.default !== undefined).map((each) => [each.name, each.default]),
    );
  }

  /** The words by which people know an object: its name, else the first that its list shows of it. @param {Obj} object */
  labelOf(object) {
    const named = [this.list.labelProperty, ...this.list.columns].map((name) => wordsOf(object[name])).find((words) => words !== "");
    return named ?? String(object.id ?? "");
  }

  /** What somebody who may change nothing but the own objects may change of them; null: everything. @returns {Set<string> | null} */
  ownersProperties() {
    const names = [...this.properties.values()].filter((each) => each.mayOwnerChange).map((each) => each.name);
    return names.length ? new Set(names) : null;
  }

  /** @param {"Get" | "Query" | "Create" | "Update" | "Destroy"} verb */
  permission(verb) {
    return this.permissionPrefix + verb;
  }
}

/** @param {any} value a text, or a set of texts */
function wordsOf(value) {
  if (typeof value === "object" && value !== null) return Object.keys(value).join(", ");
  return typeof value === "string" ? value : "";
}

/**
 * @param {string} name
 * @param {any} declared
 * @param {Obj} defaults
 * @returns {Property}
 */
function propertyOf(name, declared, defaults) {
  return {
    name,
    label: declared.label ?? name,
    help: declared.description ?? "",
    type: declared.type,
    unit: declared.unit ?? null,
    isRequired: declared.required === true,
    mayOwnerChange: declared.mayOwnerChange === true,
    update: declared.update,
    effect: declared.liveEffect ?? "none",
    default: defaults?.[name],
  };
}

/** @param {any} list @returns {ListView} */
function listOf(list) {
  return {
    title: list?.title ?? "",
    subtitle: list?.subtitle ?? "",
    labelProperty: list?.labelProperty ?? "name",
    singular: list?.singularName ?? "object",
    plural: list?.pluralName ?? "objects",
    columns: (list?.columns ?? []).map((/** @type {any} */ column) => column.name),
    filters: (list?.filters ?? []).map((/** @type {any} */ filter) => filter.field),
  };
}

export class Schema {
  /** @param {any} document as `/api/schema` answers */
  constructor(document) {
    /** @type {Map<string, ObjectType>} */
    this.types = new Map(Object.keys(document.objects).map((name) => [name, new ObjectType(name, document)]));
    /** @type {Record<string, {name: string, label: string}[]>} */
    this.enums = document.enums;
  }

  /** @param {string} name with `x:` */
  type(name) {
    const found = this.types.get(name);
    if (!found) throw new Error(`the server has no ${name}`);
    return found;
  }

  /**
   * @param {string | undefined} enumName
   * @param {string} value
   */
  labelOf(enumName, value) {
    return this.enums[enumName ?? ""]?.find((member) => member.name === value)?.label ?? value;
  }
}
