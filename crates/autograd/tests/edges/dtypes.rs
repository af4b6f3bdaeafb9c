//! Element types that an op is not made for: an error, never a panic. What does not hold floats has no gradient.
use crate::{values, vector};
use slalom_array::{DType, ErrorKind, FusedActivation, Generator, Result};
use slalom_autograd::{
    ConvOptions, Direction, ForwardAccumulator, GradientTape, Interpolation, Padding, Tensor,
    clip_by_global_norm, concat, custom_gradient, dynamic_stitch, einsum, global_norm, recompute_grad,
    scatter_nd, stack,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Calls `$method` of `x`, and collects its text if it panics.
macro_rules! calls {
    ($panics:ident, $x:ident, $($($method:ident).+ ($($argument:expr),*);)*) => {$(
        let call = || -> Result<()> { $x.$($method).+($($argument),*).map(drop) };
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            $panics.push(format!("{} {}: {}", $x.dtype(), $x.shape(), stringify!($($method).+($($argument),*))));
        }
    )*};
}

/// The methods that panic on elements of this kind.
fn panics(x: &Tensor) -> Result<Vec<String>> {
    let mut panics = Vec::new();
    let (generator, indices) = (Arc::new(Generator::from_seed(1)), Tensor::from_vec([2], vec![0, 1])?);
    calls!(panics, x,
        relu6();
        gelu();
        gelu_tanh();
        silu();
        mish();
        hard_sigmoid();
        softsign();
        log_sigmoid();
        sin();
        cos();
        tan();
        asin();
        acos();
        atan();
        sinh();
        cosh();
        asinh();
        acosh();
        atanh();
        erf();
        erfc();
        lgamma();
        digamma();
        erfinv();
        erfcinv();
        ndtri();
        reciprocal_no_nan();
        exp();
        expm1();
        log();
        log1p();
        sqrt();
        rsqrt();
        reciprocal();
        tanh();
        sigmoid();
        softplus();
        selu();
        floor();
        ceil();
        round();
        mean();
        l2_loss();
        is_finite();
        is_inf();
        is_nan();
        nonzero();
        trace();
        t();
        bitwise_invert();
        squared_difference(x);
        maximum(x);
        minimum(x);
        pow(x);
        atan2(x);
        xlogy(x);
        xdivy(x);
        divide_no_nan(x);
        xlog1py(x);
        multiply_no_nan(x);
        sigmoid_cross_entropy_with_logits(x);
        equal(x);
        not_equal(x);
        less(x);
        less_equal(x);
        greater(x);
        greater_equal(x);
        logical_and(x);
        logical_or(x);
        logical_xor(x);
        bitwise_and(x);
        bitwise_or(x);
        bitwise_xor(x);
        left_shift(x);
        right_shift(x);
        floordiv(x);
        floormod(x);
        matmul(x);
        outer(x);
        cross(x);
        mse(x);
        softmax_cross_entropy_with_logits(x);
        sparse_softmax_cross_entropy_with_logits(x);
        cholesky_solve(x);
        set_diag(x);
        max(&[0], true);
        min(&[0], true);
        prod(&[0], true);
        all(&[0], true);
        any(&[0], true);
        mean_axes(&[0], true);
        sum_axes(&[0], true);
        count_nonzero(&[0], true);
        variance(&[0], true);
        std(&[0], true);
        norm(&[0], true);
        logsumexp(&[0], true);
        softmax(-1);
        log_softmax(-1);
        argmax(-1);
        argmin(-1);
        crelu(-1);
        unstack(-1);
        expand_dims(-1);
        squeeze(-1);
        cumsum(0, true, false);
        cumprod(0, true, false);
        cumulative_logsumexp(0, true, false);
        segment_sum(&indices);
        segment_mean(&indices);
        segment_min(&indices);
        segment_max(&indices);
        segment_prod(&indices);
        dynamic_partition(&indices, 2);
        dynamic_partition(x, 2);
        unsorted_segment_sum(&indices, 2);
        unsorted_segment_mean(&indices, 2);
        unsorted_segment_sqrt_n(&indices, 2);
        unsorted_segment_min(&indices, 2);
        unsorted_segment_max(&indices, 2);
        unsorted_segment_prod(&indices, 2);
        tensor_scatter_nd_add(x, x);
        tensor_scatter_nd_sub(x, x);
        tensor_scatter_nd_update(x, x);
        tensor_scatter_nd_min(x, x);
        tensor_scatter_nd_max(x, x);
        leaky_relu(0.1);
        elu(1.0);
        clip_by_value(0.0, 1.0);
        clip_by_value(0.5, 1.0);
        clip_by_tensors(x, x);
        relu_with(0.1, Some(1.0), 0.5);
        polygamma(1);
        zeta(x);
        igamma(x);
        igammac(x);
        betainc(x, x);
        bessel_i0();
        bessel_i1e();
        bessel_j0();
        bessel_k1();
        bessel_k0e();
        bessel_y1();
        tile(&[2, 1]);
        matvec(x, false);
        tensordot(x, 1);
        tensordot_axes(x, &[0], &[0]);
        linear(x, None, FusedActivation::Relu);
        matmul_transposed(x, true, false);
        diag(0);
        diag_part(0);
        band_part(Some(0), None);
        dropout(0.5, &generator);
        gather(x, 0);
        gather(&indices, 0);
        gather_nd(x, 0);
        gather_batched(x, 1, 1);
        take_along_axis(x, 0);
        boolean_mask(x, 0);
        one_hot(3, DType::F32);
        one_hot(3, x.dtype());
        repeat(&[2], 0);
        roll(&[1], &[0]);
        reverse_sequence(&indices, 1, 0);
        depth_to_space(2);
        space_to_depth(2);
        l2_normalize(&[0]);
        vector_norm(1.0, &[0], false);
        vector_norm(3.0, &[0], false);
        vector_norm(f64::INFINITY, &[0], false);
        matrix_norm(1.0, [0, 1], false);
        matrix_norm(2.0, [-2, -1], true);
        normalize(2.0, &[0]);
        clip_by_norm(1.0, &[0]);
        weighted_cross_entropy_with_logits(x, 2.0);
        layer_norm(&[-1], None, None, 0.1);
        layer_norm(&[-1], Some(&x.slice(0, 0, 1)?), None, 0.1);
        batch_norm(-1, None, None, 0.1);
        batch_normalization(x, x, None, None, 0.1);
        batch_normalization(x, x, Some(x), Some(x), 0.1);
        group_norm(1, -1, None, None, 0.1);
        convolution(x, &ConvOptions::new());
        conv1d(x, &ConvOptions::new());
        conv2d(x, &ConvOptions::new());
        conv3d(x, &ConvOptions::new());
        conv_transpose(x, [1, 2, 2, 2], &ConvOptions::new());
        depthwise_conv(x, &ConvOptions::new());
        separable_conv(x, x, &ConvOptions::new());
        max_pool(&[1], &[1], &Padding::Same);
        max_pool(&[1, 1], &[1, 1], &Padding::Same);
        avg_pool(&[1], &[1], &Padding::Same);
        avg_pool(&[1, 1], &[1, 1], &Padding::Same);
        extract_patches(&[1, 1], &[1, 1], &[1, 1], &Padding::Same);
        resize(0, 3, Interpolation::Bilinear);
        gru(x, x, x);
        lstm(x, x, x);
        dot_product_attention(x, x, None, false, None);
        dot_product_attention(x, x, Some(x), true, Some(2.0));
        dot_product_attention_with_weights(x, x, None, false, None);
        where_(x, x);
        reshape([1, 4]);
        transpose(&[1, 0]);
        broadcast_to([2, 2, 2]);
        cast(DType::F32);
        cast(DType::Bool);
        cast(DType::I32);
        slice(0, 0, 1);
        slice_by(0, 0, 1, 1);
        strided_slice(&[None], &[None], &[-1]);
        reverse(&[0]);
        split(&[1, 1], 0);
        sort(0, Direction::Ascending);
        argsort(0, Direction::Descending);
        top_k(1);
        unique();
        searchsorted(x, true);
        triangular_solve(x, true, false);
        pad_reflect(&[[1, 1], [0, 1]]);
        pad_symmetric(&[[1, 1], [0, 1]]);
    );
    #[cfg(feature = "linalg")]
    calls!(panics, x,
        qr(false);
        eigh();
        eigvalsh();
        svd(false);
        svdvals();
        pinv(None);
        matrix_rank(None);
        nuclear_norm([0, 1], false);
        lstsq(x, 0.0);
        lstsq(x, 0.5);
        det();
        slogdet();
        logdet();
        inv();
        solve(x, false);
        cholesky();
        expm();
    );
    Ok(panics)
}

#[test]
fn no_method_panics_on_a_type() -> Result<()> {
    std::panic::set_hook(Box::new(|_| ()));
    let mut found = Vec::new();
    for dtype in [DType::Bool, DType::I32, DType::I64, DType::F32, DType::F64] {
        for shape in [&[2, 2][..], &[2, 2, 2], &[1, 2, 2, 4], &[2], &[]] {
            found.extend(panics(&Tensor::ones(shape, dtype)?)?);
        }
    }
    let _ = std::panic::take_hook();
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

#[test]
fn no_function_panics_on_a_type() -> Result<()> {
    for dtype in [DType::Bool, DType::I32, DType::I64] {
        let x = Tensor::ones([2, 2], dtype)?;
        let both = [&x, &x];
        assert_eq!(global_norm(&both).unwrap_err().kind(), ErrorKind::DType);
        assert_eq!(clip_by_global_norm(&both, 1.0).unwrap_err().kind(), ErrorKind::DType);
        assert!(concat(&both, 0).is_ok() && stack(&both, 0).is_ok());
        let _ = (einsum("ij,jk->ik", &both), scatter_nd(&x, &x, [2, 2]), dynamic_stitch(&both, &both));
        assert_eq!(recompute_grad([&x], |[x]| Ok(x.square()))?.dtype(), dtype);
        assert_eq!(
            custom_gradient([&x], |[x]| Ok((x.square(), |g: &Tensor| Ok([g.clone()]))))?.dtype(),
            dtype
        );
    }
    Ok(())
}

#[test]
fn booleans_are_counted_not_added() -> Result<()> {
    let x = Tensor::from_vec([2, 2], vec![true, false, true, true])?;
    assert_eq!(x.sum_axes(&[0], false).unwrap_err().kind(), ErrorKind::DType);
    let count = x.count_nonzero(&[0], true)?;
    assert_eq!((count.dtype(), count.shape().to_vec()), (DType::I64, vec![1, 2]));
    assert_eq!(count.to_vec::<i64>()?, [2, 1]);
    assert_eq!(vector(&[0.0, -0.0, f64::NAN, -2.0]).count_nonzero(&[0], false)?.item()?, 2.0);
    assert_eq!(Tensor::from_vec([3], vec![0, 5, -1])?.count_nonzero(&[-1], false)?.item()?, 2.0);
    assert_eq!(x.count_nonzero(&[2], false).unwrap_err().kind(), ErrorKind::Shape);
    Ok(())
}

#[test]
fn integers_have_no_gradient() -> Result<()> {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from_vec([2], vec![3i32, 4])?);
    let w = tape.watch(&vector(&[0.5, 2.0]));
    let y = x.cast(DType::F64)? * &w;
    let [by_x, by_w] = tape.gradient(&y, [&x, &w])?;
    assert!(by_x.is_none());
    assert_eq!(values(by_w), Some(vec![3.0, 4.0]));
    // Of an op whose second result are integers.
    let tape = GradientTape::new();
    let x = tape.watch(&vector(&[0.5, 2.0]));
    let places = x.top_k(2)?.1.cast(DType::F64)?;
    assert_eq!(values(tape.gradient(&(&places * &x), &x)?), Some(vec![1.0, 0.0]));
    let integer = Tensor::scalar(1i32);
    let error = ForwardAccumulator::new(&integer, &integer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
    Ok(())
}
