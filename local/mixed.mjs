// A Worker that is bound to the Durable Objects of a Worker of another build, as instances are for a while during a deployment.

/** The name of the Worker whose objects are bound. */
const OBJECTS = "raydex-objects";

/**
 * The options of both: `front` takes requests and messages, `other` has the objects, whose stored state is the one that the
 * objects of `front` have when it runs alone.
 */
export function boundTo(front, other) {
  const { name, durableObjects } = front;
  const classes = (more) =>
    Object.fromEntries(
      Object.entries(durableObjects).map(([binding, { className, useSQLite }]) => [
        binding,
        { className, useSQLite, unsafeUniqueKey: `${name}-${className}`, ...more },
      ]),
    );
  return [
    { ...front, durableObjects: classes({ scriptName: OBJECTS }) },
    { ...other, name: OBJECTS, queueConsumers: {}, durableObjects: classes({}) },
  ];
}
