// An image of the run that another tab offers to score under several names.

/** @typedef {{ class_name: string, id: string, names: string[] }} Offer */

/** @type {Offer | null} */
let offered = null;

/**
 * Open the Score tab with an image of the current run and names to compare.
 * @param {Store} store
 * @param {Offer} offer
 */
export function offerPicture(store, offer) {
  offered = offer;
  store.go({ tab: "score" });
}

/** Return the image that is offered, once. */
export function takeOffer() {
  const offer = offered;
  offered = null;
  return offer;
}
