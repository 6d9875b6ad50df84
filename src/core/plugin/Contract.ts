/**
 * The boundary between this program and the code of other packages: what a kind expects of its services, and a guard that
 * turns whatever else happens there into a PluginFault, which names the plugin and its package.
 *
 *     const contract: Contract = { encode: Schema.instanceOf(Int32Array), decode: Schema.String }
 *
 * Only services of plugins that were discovered are guarded. The built-in plugins and those of the program itself cost nothing,
 * and their defects are the program's own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { show } from "../config/ConfigIssue.ts"
import { PluginFault } from "./PluginError.ts"

/**
 * What members of a service give: a value itself, a function's result, an Effect's success or each element of a Stream.
 * `gives` describes an object with members of its own. Members that are not listed are not checked.
 */
export interface Contract {
  readonly [member: string]: Schema.Schema.AnyNoContext | { readonly gives: Contract }
}

/** The plugin that a fault is attributed to. */
export interface Blamed {
  readonly kind: string
  readonly name: string
  readonly origin: string
}

/** What keeps a value from being a service with this contract; undefined if nothing does. */
export const problem = (service: unknown, contract: Contract): string | undefined => {
  if (!Predicate.isRecord(service)) return `its make gave ${show(service)}, which is not a service`
  const missing = Object.keys(contract).filter((member) => service[member] === undefined)
  if (missing.length > 0) return `its make gave a service without ${missing.join(", ")}`
  const wrong = Object.entries(contract).find(
    ([member, expected]) => isValue(service[member]) && !fits(service[member], expected)
  )
  return wrong === undefined ? undefined : `its ${wrong[0]} is ${show(service[wrong[0]])}, not ${nameOf(wrong[1])}`
}

/** The service, with every exception, defect and wrong result of the contract's members as a PluginFault. */
export const guard = <Service extends object>(service: Service, contract: Contract, blamed: Blamed): Service => {
  const members = Object.entries(contract).map(([member, expected]) => {
    const value: unknown = Reflect.get(service, member)
    return [member, { value: guarded(service, value, expected, { ...blamed, member }), enumerable: true }] as const
  })
  // Getters are kept, so that what is made on first use still is.
  const copy: Service = Object.create(Object.getPrototypeOf(service), {
    ...Object.getOwnPropertyDescriptors(service),
    ...Object.fromEntries(members)
  })
  return copy
}

type Expected = Contract[string]
interface Place extends Blamed {
  readonly member: string
}

const guarded = (service: object, value: unknown, expected: Expected, place: Place): unknown => {
  if (!Predicate.isFunction(value)) return isValue(value) ? value : given(value, expected, place)
  return (...args: ReadonlyArray<unknown>) => {
    let result: unknown
    try {
      result = Reflect.apply(value, service, args)
    } catch (cause) {
      // The caller is synchronous, so this can only be thrown: a defect, as the exception itself would be.
      throw faultOf(cause, place)
    }
    return given(result, expected, place)
  }
}

const given = (value: unknown, expected: Expected, place: Place): unknown => {
  if (isStream(value)) {
    return value.pipe(
      Stream.map((element) => checked(element, expected, place)),
      Stream.mapErrorCause((cause) => blame(cause, place))
    )
  }
  if (Effect.isEffect(value)) {
    return value.pipe(
      Effect.map((success) => checked(success, expected, place)),
      Effect.mapErrorCause((cause) => blame(cause, place))
    )
  }
  return checked(value, expected, place)
}

const checked = (value: unknown, expected: Expected, place: Place): unknown => {
  if (!fits(value, expected))
    throw new PluginFault({ ...place, details: `it gave ${show(value)}, not ${nameOf(expected)}` })
  return Schema.isSchema(expected) || !Predicate.isObject(value) ? value : guard(value, expected.gives, place)
}

const fits = (value: unknown, expected: Expected): boolean =>
  Schema.isSchema(expected)
    ? Schema.is(expected)(value)
    : Predicate.isRecord(value) && Object.keys(expected.gives).every((member) => value[member] !== undefined)

const nameOf = (expected: Expected): string =>
  Schema.isSchema(expected) ? String(expected.ast) : `an object with ${Object.keys(expected.gives).join(", ")}`

/** An Effect is marked as a Stream too. */
const isStream = (value: unknown): value is Stream.Stream<unknown, unknown, unknown> =>
  Predicate.hasProperty(value, Stream.StreamTypeId) && !Effect.isEffect(value)

/** Neither a function nor something that gives a value later. */
const isValue = (value: unknown): boolean => !Predicate.isFunction(value) && !Effect.isEffect(value) && !isStream(value)

/** Defects become faults of the plugin; failures and interruptions stay what they are. */
const blame = <E>(cause: Cause.Cause<E>, place: Place): Cause.Cause<E> =>
  Cause.match<Cause.Cause<E>, E>(cause, {
    onEmpty: Cause.empty,
    onFail: (error) => Cause.fail(error),
    onDie: (defect) => Cause.die(faultOf(defect, place)),
    onInterrupt: (fiber) => Cause.interrupt(fiber),
    onSequential: (left, right) => Cause.sequential(left, right),
    onParallel: (left, right) => Cause.parallel(left, right)
  })

/** One plugin may call another one, whose fault it is then. */
const faultOf = (cause: unknown, place: Place): PluginFault =>
  cause instanceof PluginFault
    ? cause
    : new PluginFault({ ...place, details: cause instanceof Error ? cause.message : show(cause), cause })
