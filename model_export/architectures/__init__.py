"""Networks as data, and the Keras models that are built from them.

`spec` says what a network is, `mobilenet` and `ssdlite` write the published ones down, `channels`
lists the layers with what they cost and which channels belong together, `keras_model` builds.
"""
