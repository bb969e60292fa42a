//! Who we are: certificate sources behind one hot-swapped resolver.
