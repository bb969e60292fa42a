//! One client connection from accept to goodbye.
