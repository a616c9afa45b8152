"""Programs for developers and tests: the embedded servers, the demo, the load maker. The production image holds none of them."""
