//! Gradients of special functions against values computed with 60 digits by mpmath 1.3, and those that there are not.
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{ForwardAccumulator, Gradient, GradientTape, Tensor};

fn close(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (x, y) in found.iter().zip(expected) {
        assert!((x / y - 1.0).abs() < 1e-13, "{name}: {x} for {y}");
    }
}

fn elements(gradient: Option<Gradient>) -> Result<Vec<f64>> {
    gradient.expect("a gradient").to_dense()?.to_vec()
}

/// Parameters in a column, arguments in a row.
fn grid() -> Result<[Tensor; 2]> {
    Ok([Tensor::from_vec([2, 1], vec![0.5, 2.5])?, Tensor::from_vec([2], vec![0.25, 4.0])?])
}

#[test]
fn incomplete_gamma_functions_by_both() -> Result<()> {
    const BY_A: [f64; 2] = [-0.8145132921298534, -0.1674307139128175];
    const BY_X: [f64; 2] = [0.9520144605133986, 0.11539066822701396];
    for sign in [1.0, -1.0] {
        let outer = GradientTape::persistent();
        let tape = GradientTape::new();
        let [a, x] = grid()?.map(|x| tape.watch(&outer.watch(&x)));
        let y = if sign > 0.0 { a.igamma(&x)? } else { a.igammac(&x)? };
        let [by_a, by_x] = tape.gradient(&y, [&a, &x])?.map(|g| g.unwrap().into_dense().unwrap());
        let signed = |expected: [f64; 2]| expected.map(|x| sign * x);
        close("by a", &by_a.to_vec::<f64>()?, &signed(BY_A));
        close("by x", &by_x.to_vec::<f64>()?, &signed(BY_X));
        let mixed = [0.5245546601561373, -0.07771630958352177];
        close("by x and a", &elements(outer.gradient(&by_x, &a)?)?, &signed(mixed));
        let mixed = [0.3542326422799055, 0.09260570829271002];
        close("by a and x", &elements(outer.gradient(&by_a, &x)?)?, &signed(mixed));
        let twice = [-2.2701883289165656, -0.07470254081114523];
        close("by x twice", &elements(outer.gradient(&by_x, &x)?)?, &signed(twice));
        let error = outer.gradient(&by_a, &a).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gradient, "{error}");
    }
    Ok(())
}

#[test]
fn tangents_of_incomplete_gamma_functions() -> Result<()> {
    let [a, x] = grid()?;
    let accumulator = ForwardAccumulator::new(
        [&a, &x],
        &[Tensor::ones([2, 1], a.dtype())?, Tensor::zeros([2], x.dtype())?],
    )?;
    let [a, x] = accumulator.primals() else { panic!("two primals") };
    let tangent = accumulator.jvp(&a.igamma(x)?)?.expect("a tangent");
    close(
        "by a",
        &tangent.sum_axes(&[1], false)?.to_vec::<f64>()?,
        &[-0.8145132921298534, -0.1674307139128175],
    );
    Ok(())
}

#[test]
fn parameters_without_gradient_are_refused() -> Result<()> {
    let tape = GradientTape::new();
    let [a, b, x] = [2.0, 3.5, 0.25].map(|x| tape.watch(&Tensor::scalar(x)));
    for result in [a.zeta(&x), a.betainc(b.stop_gradient(), &x), a.stop_gradient().betainc(&b, &x)] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gradient, "{error}");
    }
    let y = a.stop_gradient().betainc(b.stop_gradient(), &x)?;
    close("betainc", &elements(tape.gradient(&y, &x)?)?, &[1.9181109529131903]);
    Ok(())
}

/// A function, its value and derivatives.
type Case = (&'static str, fn(&Tensor) -> Result<Tensor>, [f64; 4]);

#[test]
fn bessel_functions_and_three_derivatives() -> Result<()> {
    let cases: [Case; 12] = [
        (
            "i0",
            Tensor::bessel_i0,
            [1.646723189772891, 0.9816664285779075, 0.9922789040542858, 0.7564433496874537],
        ),
        (
            "i1",
            Tensor::bessel_i1,
            [0.9816664285779075, 0.9922789040542858, 0.7564433496874537, 0.7882807761165884],
        ),
        (
            "i0e",
            Tensor::bessel_i0e,
            [0.36743360905415834, -0.14839422163323265, 0.15076218498584823, -0.20575217335302873],
        ),
        (
            "i1e",
            Tensor::bessel_i1e,
            [0.21903938742092569, 0.0023679633526155525, -0.05498998836718051, 0.11471590343959212],
        ),
        (
            "j0",
            Tensor::bessel_j0,
            [0.5118276717359181, -0.5579365079100996, -0.1398699997958517, 0.4032113931472898],
        ),
        (
            "j1",
            Tensor::bessel_j1,
            [0.5579365079100996, 0.1398699997958517, -0.4032113931472898, -0.0773625573814049],
        ),
        (
            "k0",
            Tensor::bessel_k0,
            [0.21380556264752573, -0.2773878004568438, 0.39873076295208826, -0.6664917759612777],
        ),
        (
            "k1",
            Tensor::bessel_k1,
            [0.2773878004568438, -0.39873076295208826, 0.6664917759612777, -1.3618639142655187],
        ),
        (
            "k0e",
            Tensor::bessel_k0e,
            [0.9582100532948965, -0.2849558202576565, 0.25886560851972235, -0.39733456816883145],
        ),
        (
            "k1e",
            Tensor::bessel_k1e,
            [1.243165873552553, -0.5438214287773788, 0.6562001766885538, -1.2602199299012393],
        ),
        (
            "y0",
            Tensor::bessel_y0,
            [0.38244892379775886, 0.4123086269739113, -0.6573213417803664, 0.20915387953473796],
        ),
        (
            "y1",
            Tensor::bessel_y1,
            [-0.4123086269739113, 0.6573213417803664, -0.20915387953473796, 0.31073125325432466],
        ),
    ];
    for (name, f, expected) in cases {
        let (third, second, first) = (GradientTape::new(), GradientTape::new(), GradientTape::new());
        let x = first.watch(&second.watch(&third.watch(&Tensor::scalar(1.5))));
        let y = f(&x)?;
        let slope = first.gradient(&y, &x)?.unwrap().into_dense()?;
        let curvature = second.gradient(&slope, &x)?.unwrap().into_dense()?;
        let last = third.gradient(&curvature, &x)?.unwrap().into_dense()?;
        close(name, &[y.item()?, slope.item()?, curvature.item()?, last.item()?], &expected);
    }
    Ok(())
}

#[test]
fn slopes_at_0() -> Result<()> {
    for (f, expected) in [
        (Tensor::bessel_i0 as fn(&Tensor) -> _, 0.0),
        (Tensor::bessel_i1, 0.5),
        (Tensor::bessel_i0e, 0.0),
        (Tensor::bessel_i1e, 0.5),
        (Tensor::bessel_j1, 0.5),
    ] {
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::scalar(0.0f32));
        let y: Result<Tensor> = f(&x);
        assert_eq!(tape.gradient(&y?, &x)?.unwrap().to_dense()?.item()?, expected);
    }
    // x^(a - 1) at 0
    for (a, expected) in [(0.5, f64::INFINITY), (1.0, 1.0), (2.0, 0.0)] {
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::scalar(0.0));
        let y = Tensor::scalar(a).igamma(&x)?;
        assert_eq!(elements(tape.gradient(&y, &x)?)?, [expected]);
    }
    Ok(())
}
