//! The encoding of types that are not ours to derive it for: used as `#[cbor(with = "codec", has_nil)]`.

use std::time::Duration;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{CborLen, Decode, Decoder, Encode, Encoder};

use crate::session::ProcessIdentity;

/// A type that is sent in another form.
pub(in crate::warden) trait Wire: Sized {
    type Form: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()>;

    fn to_form(&self) -> Self::Form;
    fn from_form(form: Self::Form) -> Self;
}

impl Wire for Duration {
    /// Microseconds.
    type Form = u64;

    fn to_form(&self) -> u64 {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX)
    }

    fn from_form(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

#[derive(Debug, Encode, Decode, CborLen)]
#[cbor(map)]
pub(in crate::warden) struct ProcessForm {
    #[n(0)]
    pid: i32,
    #[n(1)]
    start_ticks: u64,
    #[n(2)]
    boot_id: String,
}

impl Wire for ProcessIdentity {
    type Form = ProcessForm;

    fn to_form(&self) -> ProcessForm {
        ProcessForm { pid: self.pid, start_ticks: self.start_ticks, boot_id: self.boot_id.clone() }
    }

    fn from_form(ProcessForm { pid, start_ticks, boot_id }: ProcessForm) -> Self {
        Self { pid, start_ticks, boot_id }
    }
}

impl<T: Wire> Wire for Option<T> {
    type Form = Option<T::Form>;

    fn to_form(&self) -> Self::Form {
        self.as_ref().map(T::to_form)
    }

    fn from_form(form: Self::Form) -> Self {
        form.map(T::from_form)
    }
}

pub(crate) fn encode<T: Wire, C, W: Write>(
    value: &T,
    encoder: &mut Encoder<W>,
    _: &mut C,
) -> Result<(), EncodeError<W::Error>> {
    value.to_form().encode(encoder, &mut ())
}

pub(crate) fn decode<T: Wire, C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<T, DecodeError> {
    T::Form::decode(decoder, &mut ()).map(T::from_form)
}

pub(crate) fn cbor_len<T: Wire, C>(value: &T, _: &mut C) -> usize {
    value.to_form().cbor_len(&mut ())
}

pub(crate) fn is_nil<T: Wire>(value: &T) -> bool {
    value.to_form().is_nil()
}

pub(crate) fn nil<T: Wire>() -> Option<T> {
    T::Form::nil().map(T::from_form)
}
